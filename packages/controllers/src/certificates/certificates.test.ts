import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { listAt, textAt } from "@boxship/api";
import { type KeyPair, makeAuthority } from "@boxship/apiserver";
import { tempDir } from "@boxship/testkit";
import { resource, SIGNING_REQUESTS } from "../shared/resources.ts";
import { startWorld, type World } from "../testing/world.ts";
import type { SigningRequest } from "../types/certificates.ts";
import { certificateApprover } from "./certificate-approver.ts";
import { certificateCleaner } from "./certificate-cleaner.ts";
import { certificateSigner } from "./certificate-signer.ts";
import { CLIENT, KUBELET_CLIENT, KUBELET_SERVING } from "./signers.ts";

const stack = new AsyncDisposableStack();
let world: World;
let authority: KeyPair;
before(async () => {
  authority = await makeAuthority("test-ca", Date.parse("2024-01-01T00:00:00Z"));
  const definitions = [certificateApprover, certificateSigner(authority), certificateCleaner];
  world = stack.use(await startWorld({ definitions }));
});
after(() => stack.disposeAsync());

const directory = stack.use(tempDir("csr"));

/** A request as openssl makes it. */
function csr(subject: string, names = ""): string {
  const more = names === "" ? [] : ["-addext", `subjectAltName=${names}`];
  const key = directory.join("key.pem");
  const options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", key, "-subj", subject];
  return execFileSync("openssl", ["req", "-new", ...options, ...more], { encoding: "utf8", stdio: "pipe" });
}

const CLIENT_USAGES = ["digital signature", "key encipherment", "client auth"];

async function ask(name: string, signerName: string, pem: string, spec: object = {}): Promise<void> {
  await world.create({
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name },
    spec: { signerName, request: Buffer.from(pem).toString("base64"), usages: CLIENT_USAGES, ...spec },
  });
  await world.settle();
}

const get = (name: string): Promise<SigningRequest> => world.client.get<SigningRequest>({ ...SIGNING_REQUESTS, name });

async function approve(name: string, type = "Approved"): Promise<void> {
  const condition = { type, status: "True", reason: "ByHand", message: "" };
  const request = await get(name);
  const status = { conditions: [condition] };
  await world.client.update({ ...SIGNING_REQUESTS, name }, { ...request, status }, { subresource: "approval" });
  await world.settle();
}

const conditions = ({ status }: SigningRequest) =>
  listAt(status, "conditions").map((one) => [textAt(one, "type"), textAt(one, "reason"), textAt(one, "message")]);

const certificateOf = ({ status }: SigningRequest): X509Certificate =>
  new X509Certificate(Buffer.from(status?.certificate ?? "", "base64"));

describe("certificates", () => {
  test("are signed when somebody has approved them: the subject, the names, the key, for as long as was asked", async () => {
    await ask("user", CLIENT, csr("/O=readers/CN=jane"), { expirationSeconds: 3600 });
    assert.deepEqual(conditions(await get("user")), [], "nobody has approved it");
    await approve("user");
    const certificate = certificateOf(await get("user"));
    assert.ok(certificate.verify(new X509Certificate(authority.certificate).publicKey));
    assert.equal(certificate.subject, "O=readers\nCN=jane");
    assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.2"]);
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "secp384r1");
    assert.equal(Date.parse(certificate.validTo) - world.clock.now(), 3_600_000);
    await ask("year", CLIENT, csr("/O=readers/CN=jane"));
    await approve("year");
    const { validFrom, validTo } = certificateOf(await get("year"));
    assert.equal(Date.parse(validTo) - Date.parse(validFrom), 365 * 24 * 3_600_000);
    const usages = ["digital signature", "server auth"];
    await ask("serving", KUBELET_SERVING, csr("/O=system:nodes/CN=system:node:a", "DNS:a,IP:10.0.0.1"), { usages });
    await approve("serving");
    assert.equal(certificateOf(await get("serving")).subjectAltName, "DNS:a, IP Address:10.0.0.1");
  });

  test("are refused that a signer does not sign, and left that are denied or of other signers", async () => {
    const cases: readonly (readonly [string, string, string, object, RegExp])[] = [
      [
        "no-csr",
        CLIENT,
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        {},
        /^unable to parse csr: /,
      ],
      [
        "usages",
        CLIENT,
        csr("/CN=x"),
        { usages: ["server auth"] },
        /^invalid usage for client certificate: server auth$/,
      ],
      [
        "no-usage",
        CLIENT,
        csr("/CN=x"),
        { usages: ["digital signature"] },
        /^missing required usage for client certificate: client auth$/,
      ],
      [
        "few-usages",
        KUBELET_CLIENT,
        csr("/O=system:nodes/CN=system:node:a"),
        { usages: ["client auth"] },
        /^usages did not match \[client auth digital signature key encipherment\]$/,
      ],
      ["group", KUBELET_CLIENT, csr("/O=system:masters/CN=system:node:a"), {}, /organization is not system:nodes/],
      ["common", KUBELET_CLIENT, csr("/O=system:nodes/CN=root"), {}, /common name does not begin/],
      [
        "names",
        KUBELET_CLIENT,
        csr("/O=system:nodes/CN=system:node:a", "DNS:a"),
        {},
        /^DNS subjectAltNames are not allowed$/,
      ],
      [
        "nameless",
        KUBELET_SERVING,
        csr("/O=system:nodes/CN=system:node:a"),
        {},
        /^DNS or IP subjectAltName is required$/,
      ],
    ];
    for (const [name, signer, pem, spec, words] of cases) {
      await ask(name, signer, pem, spec).catch((error: unknown) => assert.match(String(error), /spec\.request/));
      const made = await get(name).catch(() => undefined);
      if (made === undefined) continue;
      await approve(name);
      const [, failed] = conditions(await get(name));
      assert.deepEqual(failed?.slice(0, 2), ["Failed", "SignerValidationFailure"], name);
      assert.match(failed?.[2] ?? "", words, name);
    }
    await ask("denied", CLIENT, csr("/CN=x"));
    await approve("denied", "Denied");
    await ask("elsewhere", "example.com/signer", csr("/CN=x"));
    await approve("elsewhere");
    for (const name of ["denied", "elsewhere"]) assert.equal((await get(name)).status?.certificate, undefined, name);
  });

  test("of nodes are approved for whoever has the right to them, and for nobody else", async () => {
    const roles = resource("rbac.authorization.k8s.io", "v1", "clusterroles");
    for (const name of ["nodeclient", "selfnodeclient"]) {
      await world.client.get({ ...roles, name: `system:certificates.k8s.io:certificatesigningrequests:${name}` });
    }
    await ask("by-admin", KUBELET_CLIENT, csr("/O=system:nodes/CN=system:node:b"), {
      username: "system:node:b",
      groups: ["system:nodes"],
    });
    const admin = await get("by-admin");
    assert.equal(admin.spec?.username, "kubernetes-admin", "whoever it says that he is");
    assert.deepEqual(conditions(admin), [
      ["Approved", "AutoApproved", "Auto approving kubelet client certificate after SubjectAccessReview."],
    ]);
    assert.equal(certificateOf(admin).subject, "O=system:nodes\nCN=system:node:b");
    await ask("odd-usages", KUBELET_CLIENT, csr("/O=system:nodes/CN=system:node:b"), {
      usages: [...CLIENT_USAGES, "server auth"],
    });
    assert.deepEqual(conditions(await get("odd-usages")), []);
  });

  test("for the legacy signer, and for no use, are refused", async () => {
    const pem = csr("/CN=x");
    await assert.rejects(
      ask("legacy", "kubernetes.io/legacy-unknown", pem),
      /spec.signerName: Invalid value: "kubernetes.io\/legacy-unknown": the legacy signerName is not allowed via this API version/,
    );
    await assert.rejects(ask("useless", CLIENT, pem, { usages: [] }), /spec.usages: Required value/);
  });

  test("are forgotten an hour after the answer, and after a day without one", async () => {
    await ask("waits", CLIENT, csr("/CN=x"));
    const left = async (): Promise<readonly (string | undefined)[]> =>
      (await world.client.list(SIGNING_REQUESTS)).items.map(({ metadata }) => metadata.name);
    await world.advance(3599);
    assert.ok((await left()).includes("user"));
    await world.advance(2);
    assert.deepEqual(await left(), ["elsewhere", "odd-usages", "waits"], "its signer has not answered");
    await world.advance(24 * 3600);
    assert.deepEqual(await left(), []);
  });
});
