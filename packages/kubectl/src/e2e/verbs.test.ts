import { deepEqual, equal, match } from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { kubectlHere, startApiServer, type TempDir, type TestApiServer, tempDir } from "@boxship/testkit";

const CONFIG_MAP = "{apiVersion: v1, kind: ConfigMap, metadata: {name: seen}, data: {a: '1'}}";

describe("what goes on, reads standard input or keeps secrets", () => {
  const stack = new AsyncDisposableStack();
  let server: TestApiServer | undefined;
  let home: TempDir | undefined;
  before(async () => {
    home = stack.use(tempDir("kubectl"));
    server = stack.use(await startApiServer());
  });
  after(() => stack.disposeAsync());

  const k = (line: string, more: Partial<Parameters<typeof kubectlHere>[1]> = {}) =>
    kubectlHere(line.split(" "), { kubeconfig: server?.kubeconfig ?? "", home: home?.path ?? "", ...more });

  /** Runs a command that never ends until it has printed something. */
  async function until(line: string, pattern: RegExp, meanwhile: (text: string) => Promise<unknown>): Promise<string> {
    const ended = new AbortController();
    const first = Promise.withResolvers<string>();
    const last = Promise.withResolvers<void>();
    let text = "";
    const running = k(line, {
      signal: ended.signal,
      onOutput(part) {
        text += part;
        first.resolve(text);
        if (pattern.test(text)) last.resolve();
      },
    });
    await Promise.race([first.promise, running]);
    await meanwhile(text);
    await Promise.race([last.promise, running]);
    ended.abort();
    await running;
    return text;
  }

  test("manifests come from standard input, and -w tells changes as rows", async () => {
    equal((await k("apply -f -", { input: CONFIG_MAP })).stdout, "configmap/seen created\n");
    equal((await k("apply -f -", { input: CONFIG_MAP })).stdout, "configmap/seen unchanged\n");
    const change = CONFIG_MAP.replace("{a: '1'}", "{a: '1', b: '2'}");
    const text = await until("get cm seen -w", /\nseen +2 /, () => k("apply -f -", { input: change }));
    match(text, /^NAME +DATA +AGE\nseen +1 +\S+\nseen +2 +\S+\n$/);
  });

  test("proxy passes requests on, and refuses those of other hosts", async () => {
    const answers: (readonly [number, string])[] = [];
    await until("proxy --port=0", /Starting to serve on/, async (text) => {
      const url = `http://${/on (\S+)/.exec(text)?.[1] ?? ""}`;
      for (const path of ["/api/v1/namespaces/default/configmaps/seen", "/api/v1/namespaces/default/pods/x/exec"]) {
        const answer = await fetch(`${url}${path}`);
        answers.push([answer.status, await answer.text()]);
      }
    });
    deepEqual(
      answers.map(([status]) => status),
      [200, 403],
    );
    equal((JSON.parse(answers[0]?.[1] ?? "{}") as { kind?: string }).kind, "ConfigMap");
  });

  test("tokens are made and used; what is secret is in no description, difference or configuration", async () => {
    const token = (await k("create token default")).stdout.trim();
    const bare = { kubeconfig: home?.join("none") ?? "" };
    const as = await k(`auth whoami --token=${token} -s ${server?.url ?? ""} --insecure-skip-tls-verify`, bare);
    match(as.stdout, /system:serviceaccount:default:default/);
    await k("create secret generic hidden --from-literal=password=geheim");
    const secret = "{apiVersion: v1, kind: Secret, metadata: {name: hidden}, stringData: {password: anders}}";
    const told = [await k("describe secret hidden"), await k("diff -f -", { input: secret }), await k("config view")];
    for (const { stdout, stderr } of told) {
      equal(/geheim|anders|Z2VoZWlt|YW5kZXJz|BEGIN/.test(stdout + stderr), false, stdout);
    }
    match(told[1]?.stdout ?? "", /-  password: '\*\*\* \(before\)'\n\+  password: '\*\*\* \(after\)'/);
  });

  test("what is not there is refused by name", async () => {
    for (const line of ["kustomize . --enable-alpha-plugins", "apply -k .", "kuberc view", "get pods --kuberc=x"]) {
      const { status, stderr } = await k(line);
      deepEqual([status, /^error: .*not supported/.test(stderr)], [1, true], `${line}: ${stderr}`);
    }
  });
});
