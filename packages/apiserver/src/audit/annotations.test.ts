import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { silentLogger, systemClock } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { type Loose, startApi } from "../testing/api-under-test.ts";
import { startWebhook } from "../testing/webhook-under-test.ts";
import { AuditLog } from "./audit-log.ts";
import { AuditPolicy } from "./audit-policy.ts";

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- { level: Request, verbs: [create], resources: [{ group: "", resources: [configmaps, pods] }] }
- { level: Metadata, verbs: [create], resources: [{ group: "", resources: [secrets] }] }
- { level: None }
`;

test("admission notes in the audit log what it has found and changed", async () => {
  await using directory = tempDir();
  const path = directory.join("audit.log");
  await using hook = await startWebhook();
  {
    const policy = AuditPolicy.parse(POLICY);
    await using audit = await AuditLog.open({ policy, path, clock: systemClock, logger: silentLogger });
    await using api = await startApi({ audit });
    const make = async (at: string, body: object): Promise<void> => {
      const answer = await api.call("POST", at, { body });
      assert.equal(answer.status, 201, answer.text);
    };
    const group = "/apis/admissionregistration.k8s.io/v1";
    const rule = { operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"] };
    await make(`${group}/validatingadmissionpolicies`, {
      metadata: { name: "short" },
      spec: {
        matchConstraints: { resourceRules: [{ ...rule, resources: ["configmaps"] }] },
        validations: [{ expression: "true" }, { expression: "size(object.metadata.name) < 3", message: "too long" }],
        auditAnnotations: [
          { key: "name", valueExpression: "'it is ' + object.metadata.name" },
          { key: "nothing", valueExpression: "null" },
        ],
      },
    });
    await make(`${group}/validatingadmissionpolicybindings`, {
      metadata: { name: "everywhere" },
      spec: { policyName: "short", validationActions: ["Audit"] },
    });
    await make(`${group}/mutatingwebhookconfigurations`, {
      metadata: { name: "hooks" },
      webhooks: [
        {
          name: "label.example.com",
          clientConfig: { url: `https://localhost:${hook.port}/label-a`, caBundle: hook.caBundle },
          rules: [{ ...rule, resources: ["configmaps", "secrets"] }],
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
        },
      ],
    });
    const wrong = await api.call("POST", `${group}/validatingadmissionpolicies`, {
      body: {
        metadata: { name: "wrong" },
        spec: {
          matchConstraints: { resourceRules: [{ ...rule, resources: ["configmaps"] }] },
          auditAnnotations: [{ key: "k", valueExpression: "object." }],
        },
      },
    });
    assert.deepEqual(
      [wrong.status, /auditAnnotations\[0\]\.valueExpression/.test(wrong.text)],
      [422, true],
      wrong.text,
    );
    await make("/api/v1/namespaces/default/configmaps", { metadata: { name: "long" } });
    await make("/api/v1/namespaces/default/secrets", { metadata: { name: "s" } });
    const labels = {
      "pod-security.kubernetes.io/audit": "restricted",
      "pod-security.kubernetes.io/audit-version": "v1.30",
    };
    await make("/api/v1/namespaces", { metadata: { name: "safe", labels } });
    await make("/api/v1/namespaces/safe/pods", {
      metadata: { name: "p" },
      spec: { containers: [{ name: "a", image: "a" }] },
    });
  }
  const [map, secret, pod]: Loose[] = (await readFile(path, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ user }) => user.username === "kubernetes-admin");
  const { annotations } = map;
  assert.equal(annotations["short/name"], "it is long");
  assert.equal("short/nothing" in annotations, false);
  assert.deepEqual(JSON.parse(annotations["validation.policy.admission.k8s.io/validation_failure"]), [
    { message: "too long", policy: "short", binding: "everywhere", expressionIndex: 1, validationActions: ["Audit"] },
  ]);
  const about = { configuration: "hooks", webhook: "label.example.com" };
  const place = "webhook.admission.k8s.io/round_0_index_0";
  assert.deepEqual(JSON.parse(annotations[`mutation.${place}`]), { ...about, mutated: true });
  assert.deepEqual(JSON.parse(annotations[`patch.${place}`]).patch, [
    { op: "add", path: "/metadata/labels", value: { a: "1" } },
  ]);
  assert.deepEqual(JSON.parse(secret.annotations[`mutation.${place}`]), { ...about, mutated: true });
  assert.equal(`patch.${place}` in secret.annotations, false, "nothing of a secret");
  assert.equal(pod.annotations["pod-security.kubernetes.io/enforce-policy"], "privileged:latest");
  assert.match(
    pod.annotations["pod-security.kubernetes.io/audit-violations"],
    /^would violate PodSecurity "restricted:v1\.30": allowPrivilegeEscalation != false/,
  );
});
