import { createHash } from 'node:crypto';

/** Colours with a contrast of at least 4.5 to 1, in both schemes. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1c2430;--soft:#4d5967;--line:#d5dbe1;--brand:#0b5f59;--tint:#e8f1f0;--get:#0b5c8a;--post:#136534;--put:#7a4a00;--delete:#9c1c16}
@media (prefers-color-scheme:dark){:root{--bg:#11161c;--card:#1a2129;--ink:#e8edf2;--soft:#aeb9c4;--line:#35404b;--brand:#62cabf;--tint:#1e312f;--get:#7cc4f0;--post:#7fd8a0;--put:#f0c070;--delete:#ff9d94}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif}
a{color:var(--brand)}:focus-visible{outline:3px solid var(--brand);outline-offset:2px}
.skip{position:absolute;left:-999px}.skip:focus{left:12px;top:12px;background:var(--card);padding:8px 12px;z-index:1}
header{display:flex;gap:12px;align-items:center;flex-wrap:wrap;padding:12px 24px;background:var(--card);border-bottom:1px solid var(--line)}
header label{margin-left:auto}
.columns{display:grid;grid-template-columns:280px minmax(0,1fr);gap:24px;max-width:1400px;margin:0 auto;padding:0 24px}
nav{position:sticky;top:0;max-height:100vh;overflow:auto;padding:16px 0;font-size:14px}
nav h2{font-size:15px;margin:14px 0 4px}nav ul{list-style:none;margin:0;padding:0}nav li{margin:6px 0}
main{padding:16px 0 60px}h1{font-size:28px;line-height:1.25}section h2{margin-top:44px}
.operation{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:10px 0}
summary{padding:10px 16px;cursor:pointer}summary h3{display:inline;font-size:15px;font-weight:500;overflow-wrap:anywhere}
.operation>div{padding:0 16px 16px}
.method{display:inline-block;min-width:62px;font-weight:700}.get{color:var(--get)}.post{color:var(--post)}.put,.patch{color:var(--put)}.delete{color:var(--delete)}
.summary{color:var(--soft)}
h4{margin:20px 0 6px}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:14px}th,td{text-align:left;vertical-align:top;padding:6px 14px 6px 0;border-bottom:1px solid var(--line);font-weight:400}td p{margin:0}
dl{font-size:14px;margin:8px 0}dt{margin-top:6px;overflow-wrap:anywhere}dt span{color:var(--soft)}dd{margin:0 0 0 20px;color:var(--soft)}
code{font:14px ui-monospace,Consolas,monospace;overflow-wrap:anywhere}
pre{font:13px/1.45 ui-monospace,Consolas,monospace;background:var(--tint);padding:12px;border-radius:8px;overflow:auto;max-height:380px;margin:8px 0}pre:empty{display:none}
.answer{border-top:1px solid var(--line);font-size:14px}.answer p,.answer ul{margin:6px 0}
label{font-size:14px;font-weight:600}input,textarea{font:14px ui-monospace,Consolas,monospace;padding:7px 9px;border:1px solid var(--soft);border-radius:7px;background:var(--bg);color:var(--ink);max-width:100%}textarea{display:block;width:100%}
button{font:inherit;font-weight:600;padding:8px 18px;border:0;border-radius:8px;background:var(--brand);color:var(--card);cursor:pointer}
@media (max-width:900px){.columns{grid-template-columns:minmax(0,1fr)}nav{position:static;max-height:none}}
`;

/** Its own style and its own script, requests to this server, and nothing else. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
