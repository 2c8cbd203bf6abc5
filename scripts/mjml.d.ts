declare module 'mjml' {
  export default function mjml2html(
    source: string,
    options?: { readonly validationLevel?: 'strict'; readonly keepComments?: boolean },
  ): Promise<{ readonly html: string; readonly errors: readonly unknown[] }>;
}
