import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../../object/json.ts";
import { problemsOf } from "../../testing/problems-of.ts";

const pem = (type: string, body: string): string =>
  Buffer.from(`-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`).toString("base64");
/** Of `/CN=a`, signed by a P-256 key and by an Ed25519 key. */
const EC =
  "MIHGMG4CAQAwDDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFcwy2bsZk9Ua+7DpBmPVFA6PuWnM0uA1haOPKFuIFslkPfxQVSTGUVtrio667c4UD3N0EYYSyQIbRrxklHIlOigADAKBggqhkjOPQQDAgNIADBFAiEAn3DIJg2j1zJaBnoooSlU4ujeJbQQDeFg5T/C9DNThTkCIDJVelVRJGt7tPNugNH6pRMf8y2IRf4OMVV7JzWs++pr";
const ED =
  "MIGLMD8CAQAwDDEKMAgGA1UEAwwBYTAqMAUGAytlcAMhANb75lt2BEnuGLL+M2WoD6WRT7RE6jyFtRIjcY+LtX5AoAAwBQYDK2VwA0EASws0nJgS/HWBAn8gI4RsJvdbrW7A7+GO4GEZMAk+mFQmvX2TYZko6CisrNZILS0uKm/90zKdT680jh0ln5IXDw==";
const REQUEST = pem("CERTIFICATE REQUEST", EC);

const asked = (spec: JsonObject = {}, status?: JsonObject): JsonObject => ({
  spec: { request: REQUEST, signerName: "example.com/one", usages: ["client auth"], ...spec },
  ...(status === undefined ? {} : { status }),
});
const OF_REQUESTS = "certificatesigningrequests";

test("a request of a certificate is signed by its subject, for uses that there are, by a signer with a domain", () => {
  assert.deepEqual(problemsOf(OF_REQUESTS, asked()), []);
  assert.deepEqual(problemsOf(OF_REQUESTS, asked({ request: pem("CERTIFICATE REQUEST", ED) })), []);
  const known =
    'supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"';
  assert.deepEqual(
    problemsOf(
      OF_REQUESTS,
      asked({ request: "eA==", usages: ["any", "any", "all"], signerName: "one", expirationSeconds: 599 }),
    ),
    [
      "spec.request: Invalid value: []byte{0x78}: PEM block type must be CERTIFICATE REQUEST",
      `spec.usages[2]: Unsupported value: "all": ${known}`,
      'spec.usages[1]: Duplicate value: "any"',
      `spec.signerName: Invalid value: "one": must be a fully qualified domain and path of the form 'example.com/signer-name'`,
      "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)",
    ],
  );
  const label =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  assert.deepEqual(problemsOf(OF_REQUESTS, asked({ usages: [], signerName: "A/b" })), [
    "spec.usages: Required value",
    `spec.signerName: Invalid value: "A": validating label "A": ${label}`,
    'spec.signerName: Invalid value: "A": should be a domain with at least two segments separated by dots',
  ]);
  const forged = Buffer.from(EC, "base64");
  forged[20] = (forged[20] ?? 0) ^ 1;
  const [problem = ""] = problemsOf(
    OF_REQUESTS,
    asked({ request: pem("CERTIFICATE REQUEST", forged.toString("base64")) }),
  );
  assert.match(problem, /^spec.request: Invalid value: \[\]byte\{.*\}: \S/);
});

test("a certificate is approved or denied for good, and signed once", () => {
  const when = "2026-01-01T00:00:00Z";
  const condition = (type: string, status = "True"): JsonObject => ({ type, status, lastTransitionTime: when });
  const of = (conditions: JsonObject[], more: JsonObject = {}): JsonObject => asked({}, { conditions, ...more });
  const approved = of([condition("Approved")]);
  const changed = (now: JsonObject, before: JsonObject, subresource: string): readonly string[] =>
    problemsOf(OF_REQUESTS, now, before, subresource);
  assert.deepEqual(changed(approved, asked(), "approval"), []);
  assert.deepEqual(
    changed(
      of([condition("Approved"), condition("Denied", "False"), condition(""), condition("")]),
      asked(),
      "approval",
    ),
    [
      'status.conditions[1].status: Unsupported value: "False": supported values: "True"',
      'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
      "status.conditions[2].type: Required value",
      "status.conditions[3].type: Required value",
      'status.conditions[3].type: Duplicate value: ""',
    ],
  );
  assert.deepEqual(changed(asked(), approved, "approval"), [
    'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
  ]);
  assert.deepEqual(changed(approved, asked(), "status"), [
    'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
  ]);
  const signed = (body: string, type = "CERTIFICATE"): JsonObject =>
    of([condition("Approved")], { certificate: pem(type, body) });
  assert.deepEqual(changed(signed("MAA="), approved, "status"), []);
  assert.deepEqual(changed(signed("MAA=", "KEY"), approved, "status"), [
    'status.certificate: Invalid value: "<certificate data>": only CERTIFICATE PEM blocks are allowed, found "KEY"',
  ]);
  assert.deepEqual(changed(signed("MAA="), signed("MAEA"), "status"), [
    "status.certificate: Forbidden: updates may not modify existing certificate content",
  ]);
});

test("an API service is called by its version and group, and is local or behind a service", () => {
  const good = { group: "a.io", version: "v1", groupPriorityMinimum: 100, versionPriority: 10 };
  const of = (spec: JsonObject, name = "v1.a.io"): readonly string[] =>
    problemsOf("apiservices", { metadata: { name }, spec });
  assert.deepEqual(of(good), []);
  assert.deepEqual(of({ ...good, service: { name: "a", namespace: "b" } }), []);
  assert.deepEqual(of({ version: "v2", caBundle: "eHg=", insecureSkipTLSVerify: true, groupPriorityMinimum: 20_001 }), [
    'metadata.name: Invalid value: "v1.a.io": must be `spec.version+"."+spec.group`: "v2."',
    "spec.group: Required value: only v1 may have an empty group and it better be legacy kube",
    "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
    "spec.versionPriority: Invalid value: 0: must be positive and less than 1000",
    'spec.caBundle: Invalid value: "2 bytes": local APIServices may not have a caBundle',
    "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
  ]);
  assert.deepEqual(of({ ...good, service: { port: 0 }, caBundle: "eHg=", insecureSkipTLSVerify: true }), [
    "spec.service.namespace: Required value",
    "spec.service.name: Required value",
    "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
    "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
  ]);
  const status = { conditions: [{ type: "Available", status: "Maybe" }] };
  const object = { metadata: { name: "v1.a.io" }, spec: good };
  assert.deepEqual(problemsOf("apiservices", { ...object, status }, object, "status"), [
    'status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown"',
  ]);
});
