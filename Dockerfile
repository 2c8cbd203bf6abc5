# One image for all programs: the API by default; `node src/worker.ts` and `node src/migrate.ts` are the others.
# Pin the digest of the base image in your own registry: FROM node:26-slim@sha256:...

FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:26-slim
# Each program stays below 256 MB; without a bound V8 lets its heap grow to several times what lives in it.
ENV NODE_ENV=production NODE_OPTIONS="--max-semi-space-size=16 --max-old-space-size=256"
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY src ./src
# The sandbox gateway keeps its record here.
RUN mkdir -p /var/lib/roomy && chown 1000:1000 /var/lib/roomy
# The account `node` of the base image, by number so that runAsNonRoot can be verified.
USER 1000:1000
EXPOSE 3000
CMD ["node", "src/api.ts"]
