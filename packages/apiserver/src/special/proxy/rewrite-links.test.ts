import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { type LinkBase, linkRewriter, rewriteLink } from "./rewrite-links.ts";

const PREFIX = "/api/v1/namespaces/a/pods/b/proxy";
const BASE: LinkBase = { prefix: PREFIX, hosts: ["10.0.0.1:80", "localhost:8001"], asked: "localhost:8001" };

test("links of the server behind lead through the proxy, others stay", () => {
  const cases = [
    ["/x/y/?q=/z#f", `${PREFIX}/x/y/?q=/z#f`],
    ["/", `${PREFIX}/`],
    ["x/y", "x/y"],
    ["", ""],
    ["#top", "#top"],
    ["?q", "?q"],
    ["mailto:a@b", "mailto:a@b"],
    ["http://10.0.0.1:80/x", `${PREFIX}/x`],
    ["//10.0.0.1:80/x", `${PREFIX}/x`],
    ["http://10.0.0.1:81/x", "http://10.0.0.1:81/x"],
    ["https://example.com/x", "https://example.com/x"],
    ["http://localhost:8001/x", `http://localhost:8001${PREFIX}/x`],
    ["http://10.0.0.1:80", "http://10.0.0.1:80"],
    [`${PREFIX}/x`, `${PREFIX}/x`],
    [`${PREFIX}y`, `${PREFIX}${PREFIX}y`],
  ];
  for (const [link = "", wanted] of cases) assert.equal(rewriteLink(link, BASE), wanted, link);
});

const PAGE = `<!DOCTYPE html><HTML manifest='/m'><!-- <a href="/no"> --><head><base href=/b/><title><a href="/no"></title>
<script src="/s.js">if (a < b && "<a href='/no'>") {}</SCRIPT ><style>a{background:url(/no)}</style></head>
<body background = "/bg" data-x="/no">1 < 2 é <a title="a>b" href="/p?a=1&amp;b=2">x</a><A HREF=/q>y</A><a href>z</a>
<img src="rel.png" longdesc="/l" usemap='/u'/><form action="http://10.0.0.1:80/f"><input formaction=/g disabled><a b='<`;

const WANTED = PAGE.replaceAll("__", "")
  .replace("'/m'", `'${PREFIX}/m'`)
  .replace("href=/b/", `href=${PREFIX}/b/`)
  .replace('"/s.js"', `"${PREFIX}/s.js"`)
  .replace('"/bg"', `"${PREFIX}/bg"`)
  .replace("/p?a", `${PREFIX}/p?a`)
  .replace("HREF=/q", `HREF=${PREFIX}/q`)
  .replace('"/l"', `"${PREFIX}/l"`)
  .replace("'/u'", `'${PREFIX}/u'`)
  .replace("http://10.0.0.1:80/f", `${PREFIX}/f`)
  .replace("=/g", `=${PREFIX}/g`);

test("the same wherever a page is cut, byte for byte", async () => {
  const bytes = Buffer.from(PAGE);
  for (const size of [1, 2, 3, 5, 7, 11, 64, bytes.length]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
    assert.equal(await text(Readable.from(chunks).pipe(linkRewriter(BASE))), WANTED, `chunks of ${size}`);
  }
});

test("what never ends is not kept for ever", async () => {
  const page = `<a href="${"x".repeat(200_000)}`;
  const rewriter = linkRewriter(BASE);
  rewriter.write(page);
  assert.equal(rewriter.read()?.length, page.length);
  const slow = `<script>${"<".repeat(300_000)}`;
  assert.equal(await text(Readable.from([Buffer.from(slow)]).pipe(linkRewriter(BASE))), slow);
  const many = "<!-".repeat(100_000);
  assert.equal(await text(Readable.from([Buffer.from(many)]).pipe(linkRewriter(BASE))), many);
});
