import { deepEqual, equal } from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import {
  kubectl,
  kubectlHere,
  kubernetesProgram,
  startApiServer,
  type TempDir,
  type TestApiServer,
  tempDir,
} from "@boxship/testkit";

const V1 = "client.authentication.k8s.io/v1";

describe("users who log in by a program", {
  skip: kubernetesProgram("kubectl") === undefined && "no kubectl here",
}, () => {
  const stack = new AsyncDisposableStack();
  let server: TestApiServer;
  let home: TempDir;
  let admin: { readonly "client-certificate-data": string; readonly "client-key-data": string };
  let cluster: object;
  before(async () => {
    home = stack.use(tempDir("kubectl"));
    server = stack.use(await startApiServer());
    const config = JSON.parse(readFileSync(server.kubeconfig, "utf8"));
    admin = config.users[0].user;
    cluster = config.clusters[0].cluster;
  });
  after(() => stack.disposeAsync());

  /** A configuration whose user is a shell script with this text. */
  function configured(script: string, exec: object): string {
    const [program, path] = [home.join("plugin"), home.join("config")];
    writeFileSync(program, `#!/bin/sh\n${script}\n`);
    chmodSync(program, 0o755);
    const given = { apiVersion: V1, command: "./plugin", interactiveMode: "Never", ...exec };
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user: { exec: given } }],
    };
    writeFileSync(path, JSON.stringify(config));
    return path;
  }

  const answer = (status: object, apiVersion = V1): string =>
    `cat <<'END'\n${JSON.stringify({ apiVersion, kind: "ExecCredential", status })}\nEND`;
  const masked = (text: string): string => text.replace(/^(E\d{4} .*\n)+/gm, "").replaceAll(home.path, "HOME");

  test("are who it says, and are told its failures in kubectl's words", async () => {
    const pem = (data: string): string => Buffer.from(data, "base64").toString();
    const pair = {
      clientCertificateData: pem(admin["client-certificate-data"]),
      clientKeyData: pem(admin["client-key-data"]),
    };
    const token = await kubectlHere(["create", "token", "default"], { kubeconfig: server.kubeconfig, home: home.path });
    const cases: readonly [script: string, exec?: object][] = [
      [answer(pair)],
      [answer({ token: token.stdout.trim() })],
      [answer(pair, "client.authentication.k8s.io/v1beta1"), { apiVersion: "client.authentication.k8s.io/v1beta1" }],
      ['test "$WORD $1" = "a b" || exit 9\n' + answer(pair), { env: [{ name: "WORD", value: "a" }], args: ["b"] }],
      [answer({ token: "nobody's" })],
      ["echo sorry >&2; exit 3"],
      [answer(pair), { command: "no-such-plugin", installHint: "Install it." }],
      [answer({})],
      [answer(pair), { interactiveMode: "" }],
      [answer(pair), { command: "" }],
      [answer(pair), { command: "", apiVersion: "", interactiveMode: "" }],
      [answer(pair), { interactiveMode: "Sometimes" }],
    ];
    const words = ["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"];
    for (const [script, exec = {}] of cases) {
      const kubeconfig = configured(script, exec);
      const real = kubectl(kubeconfig, home.path);
      const [want, got] = [await real?.(words), await kubectlHere(words, { kubeconfig, home: home.path })];
      deepEqual(
        { ...got, stderr: masked(got.stderr) },
        { ...want, stderr: masked(want?.stderr ?? "") },
        JSON.stringify([script, exec]),
      );
    }
  });

  test("the program is told of the cluster where it asks for that", async () => {
    const script = `printf %s "$KUBERNETES_EXEC_INFO" > "$0.seen"; exit 1`;
    const kubeconfig = configured(script, { provideClusterInfo: true });
    const words = ["get", "pods"];
    await kubectl(kubeconfig, home.path)?.(words);
    const want = JSON.parse(readFileSync(home.join("plugin.seen"), "utf8"));
    equal((await kubectlHere(words, { kubeconfig, home: home.path })).status, 1);
    deepEqual(JSON.parse(readFileSync(home.join("plugin.seen"), "utf8")), want);
  });
});
