import { equal, match, ok, throws } from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { Template } from "@boxship/template";
import { makeCertificate } from "./certificates.ts";
import { helmFunctions } from "./sprig-functions.ts";

const render = (source: string, data: unknown = {}): string =>
  new Template("t", { functions: helmFunctions, missingKey: "zero" }).parse(source).execute(data);

for (const source of [
  "{{ until 2000000000 }}",
  "{{ untilStep 0 9223372036854775807 1 }}",
  "{{ seq 0 1 1000000000 }}",
  '{{ repeat 1000000000 "x" }}',
  '{{ indent 1000000000 "x" }}',
  "{{ randAlphaNum 1000000000 }}",
  '{{ replace "" (repeat 1000000 "y") (repeat 1000 "x") }}',
  '{{ regexReplaceAll "" (repeat 1000 "x") (repeat 1000000 "y") }}',
]) {
  test(`too much is refused: ${source}`, () => throws(() => render(source), /the result (is longer|has more) than/));
}

test("an expression that explodes elsewhere ends here", () => {
  const text = `${"a".repeat(50_000)}b`;
  equal(render('{{ regexMatch "^(a+)+$" .text }}', { text }), "false");
  throws(() => render('{{ mustRegexMatch (repeat 20000 "(a?)") .text }}', { text }), /longer than 10000 characters/);
});

test("keys that mean something to JavaScript are only keys", () => {
  const source = '{{ $d := dict "__proto__" (dict "x" 1) "constructor" 2 }}{{ $d }}{{ hasKey (dict) "constructor" }}';
  equal(render(source), "map[__proto__:map[x:1] constructor:2]false");
  equal(
    render('{{ merge (dict) (fromJson "{\\"__proto__\\": {\\"y\\": 1}}") }}{{ hasKey (dict) "y" }}'),
    "map[__proto__:map[y:1]]false",
  );
  equal(({} as { readonly y?: number }).y, undefined);
});

test("aliases that multiply are an error in time", () => {
  const levels = Array.from(
    { length: 20 },
    (_, at) =>
      `a${at}: &a${at} [${
        at === 0
          ? "x"
          : Array(10)
              .fill(`*a${at - 1}`)
              .join(", ")
      }]`,
  );
  match(render("{{ fromYaml .text }}", { text: levels.join("\n") }), /excessive aliasing/);
});

test("certificates are signed by who was asked to", () => {
  const issuer = makeCertificate({ commonName: "root", addresses: [], names: [], days: 10, authority: true });
  const request = {
    commonName: "web",
    addresses: ["10.0.0.1", "fd00::1"],
    names: ["web.local", "*.web.local"],
    days: 5,
  };
  const leaf = makeCertificate({ ...request, issuer });
  const [root, web] = [new X509Certificate(issuer.cert), new X509Certificate(leaf.cert)];
  ok(root.ca && root.checkIssued(root) && root.verify(root.publicKey));
  ok(!web.ca && web.checkIssued(root) && web.verify(root.publicKey));
  equal(web.subjectAltName, "DNS:web.local, DNS:*.web.local, IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1");
  equal(Math.round((Date.parse(web.validTo) - Date.parse(web.validFrom)) / 86_400_000), 5);
  equal(createPrivateKey(render('{{ genPrivateKey "dsa" }}')).asymmetricKeyType, "dsa");
  const elliptic = render('{{ genPrivateKey "ecdsa" }}');
  const own = new X509Certificate(makeCertificate({ ...request, key: elliptic }).cert);
  ok(own.verify(own.publicKey));
});
