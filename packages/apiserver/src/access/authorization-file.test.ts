import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { silentLogger } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { startApi } from "../testing/api-under-test.ts";
import { startHttps } from "../testing/https-under-test.ts";
import { parseAuthorizationFile } from "./authorization-file.ts";

const HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\n";

const webhook = (kubeconfig: string, more = ""): string => `
    timeout: 3s
    subjectAccessReviewVersion: v1
    failurePolicy: NoOpinion
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: ${kubeconfig}}
${more}`;

test("what is wrong is told, all of it, in upstream's words", async () => {
  await using directory = tempDir();
  const path = directory.join("kubeconfig");
  writeFileSync(path, "");
  const at = "authorizers[0]";
  const one = (text: string): string => `authorizers:\n- {type: Webhook, name: a, webhook: {${text}}}`;
  const right = `timeout: 3s, subjectAccessReviewVersion: v1, failurePolicy: Deny, connectionInfo: {type: KubeConfigFile, kubeConfigFile: ${path}}`;
  const conditions = (list: string): string =>
    one(`${right}, matchConditionSubjectAccessReviewVersion: v1, matchConditions: ${list}`);
  const cases: readonly (readonly [string, string | RegExp])[] = [
    ["authorizers: []", "authorizers: Required value: at least one authorization mode must be defined"],
    ["authorizers: [{name: a}]", `${at}.type: Required value`],
    [
      "authorizers: [{type: None, name: a}]",
      `${at}.type: Unsupported value: "None": supported values: "ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"`,
    ],
    ["authorizers: [{type: RBAC, name: a}, {type: RBAC, name: b}]", 'authorizers[1].type: Duplicate value: "RBAC"'],
    ["authorizers: [{type: RBAC, name: a}, {type: Node, name: a}]", 'authorizers[1].name: Duplicate value: "a"'],
    ["authorizers: [{type: RBAC}]", `${at}.name: Required value`],
    [
      "authorizers: [{type: RBAC, name: A_}]",
      /name: Invalid value: "A_": authorizer name is invalid: a lowercase RFC 1123/,
    ],
    [
      "authorizers: [{type: RBAC, name: a, webhook: {}}]",
      `${at}.webhook: Invalid value: "non-null": may only be specified when type=Webhook`,
    ],
    ["authorizers: [{type: Webhook, name: a}]", `${at}.webhook: Required value: required when type=Webhook`],
    [
      one(""),
      ["timeout", "subjectAccessReviewVersion", "failurePolicy", "connectionInfo.type"]
        .map((field) => `${at}.${field}: Required value`)
        .join(", "),
    ],
    [one(`${right}, unauthorizedTTL: -1s`), `${at}.unauthorizedTTL: Invalid value: "-1s": must be > 0s`],
    [one(right.replace("3s", "31s")), `${at}.timeout: Invalid value: "31s": must be > 0s and <= 30s`],
    [
      one(right.replace(": v1", ": v2")),
      `${at}.subjectAccessReviewVersion: Unsupported value: "v2": supported values: "v1", "v1beta1"`,
    ],
    [
      one(right.replace("Deny", "Fail")),
      `${at}.failurePolicy: Unsupported value: "Fail": supported values: "NoOpinion", "Deny"`,
    ],
    [
      one(right.replace(path, "x")),
      `${at}.connectionInfo.kubeConfigFile: Invalid value: "x": must be an absolute path`,
    ],
    [one(right.replace(path, directory.path)), /kubeConfigFile: Invalid value: "[^"]+": must be a regular file$/],
    [
      one(`${right}, matchConditions: [{expression: "true"}]`),
      `${at}.matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified`,
    ],
    [
      conditions('[{expression: "true"}, {expression: "true"}]'),
      `${at}.matchConditions[1].expression: Duplicate value: "true"`,
    ],
    [conditions('[{expression: " "}]'), `${at}.matchConditions[0].expression: Required value`],
    [
      conditions("[{expression: request.user}]"),
      /matchConditions\[0\]\.expression: Invalid value: "request.user": compilation failed: /,
    ],
    [conditions("[{expression: request.nobody == 'a'}]"), /compilation failed: .*nobody/],
    [
      "authorizers: [{type: RBAC, name: a, more: 1}]\nothers: 1",
      'strict decoding error: unknown field "others", strict decoding error: unknown field "authorizers[0].more"',
    ],
    ["authorizers: [{type: ABAC, name: a}]", /ABAC is not supported/],
    [one(right.replace("KubeConfigFile", "InClusterConfig")), /InClusterConfig is not supported/],
  ];
  for (const [text, wanted] of cases) {
    await assert.rejects(parseAuthorizationFile(HEAD + text), ({ message }: Error) => {
      if (typeof wanted === "string") assert.equal(message, `the authorization configuration is wrong: ${wanted}`);
      else assert.match(message, wanted);
      return true;
    });
  }
  await assert.rejects(
    parseAuthorizationFile("kind: Other"),
    /no AuthorizationConfiguration of apiserver.config.k8s.io\/v1/,
  );
});

test("authorizers of a file decide in its order, and others do when it changes", async () => {
  await using directory = tempDir();
  let answer: object | undefined = { allowed: false, denied: true, reason: "never" };
  await using server = await startHttps(() => (answer === undefined ? undefined : { status: answer }));
  const kubeconfig = directory.join("kubeconfig");
  const data = Buffer.from(server.authority).toString("base64");
  writeFileSync(
    kubeconfig,
    `{clusters: [{name: a, cluster: {server: "${server.url}", certificate-authority-data: ${data}}}], contexts: [{name: a, context: {cluster: a}}], current-context: a}`,
  );
  const authorizationFile = directory.join("file.yaml");
  const write = (text: string): void => {
    writeFileSync(`${authorizationFile}.next`, HEAD + text);
    renameSync(`${authorizationFile}.next`, authorizationFile);
  };
  const own = "- {type: Node, name: nodes}\n- {type: RBAC, name: roles}\n";
  const guard = (more: string): string =>
    `authorizers:\n- type: Webhook\n  name: guard\n  webhook:${webhook(kubeconfig, more)}${own}`;
  const only = `    matchConditionSubjectAccessReviewVersion: v1
    matchConditions:
    - {expression: "request.user != 'admin' && has(request.resourceAttributes)"}
    - {expression: "request.resourceAttributes.namespace == 'guarded'"}
`;
  write(guard(only));
  const logged: string[] = [];
  const note = (message: string): void => void logged.push(message);
  const logger = { ...silentLogger, info: note, error: note };
  await using api = await startApi({ authorizationFile, logger });
  const binding = { roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" } };
  const made = await api.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    body: {
      ...binding,
      metadata: { name: "pat" },
      subjects: [{ kind: "User", name: "pat", apiGroup: "rbac.authorization.k8s.io" }],
    },
  });
  assert.equal(made.status, 201, made.text);
  const ask = async (namespace: string): Promise<readonly [number, string]> => {
    const headers = { "impersonate-user": "pat" };
    const { status, json } = await api.call("GET", `/api/v1/namespaces/${namespace}/pods`, { headers });
    return [status, json.message ?? ""];
  };
  assert.deepEqual(await ask("default"), [200, ""]);
  const [status, message] = await ask("guarded");
  assert.equal(status, 403);
  assert.match(message, /in the namespace "guarded": never$/);
  assert.deepEqual(
    server.received.map(({ spec }) => spec.resourceAttributes.namespace),
    ["guarded"],
    "only who meets the conditions is asked about",
  );
  const until = async (wanted: RegExp): Promise<void> => {
    while (!logged.some((line) => wanted.test(line))) await new Promise((resolve) => setTimeout(resolve, 20));
    logged.length = 0;
  };
  // It cannot be asked, and refuses then.
  answer = undefined;
  write(guard("    authorizedTTL: 1s\n").replace("NoOpinion", "Deny").replace("sion: v1\n", "sion: v1beta1\n"));
  await until(/another one now/);
  assert.deepEqual((await ask("default"))[0], 403);
  assert.equal(server.received.at(-1).apiVersion, "authorization.k8s.io/v1beta1");
  assert.deepEqual(server.received.at(-1).spec.group, ["system:authenticated"]);
  // What is wrong is not taken.
  write("authorizers: [{type: RBAC, name: roles}]");
  await until(/not taken/);
  assert.deepEqual((await ask("default"))[0], 403);
  write(`authorizers:\n${own}`);
  await until(/another one now/);
  assert.deepEqual(await ask("guarded"), [200, ""]);
});
