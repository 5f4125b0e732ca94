import { deepEqual, equal } from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { pushFixture, runProgram, startRegistry, type TempDir, type TestRegistry, tempDir } from "@boxship/testkit";
import { skopeoInProcess } from "../testing/in-process.ts";

let registry: TestRegistry;
let directory: TempDir;

before(async () => {
  directory = tempDir("policy");
  registry = await startRegistry();
  const layers = [{ entries: [{ name: "file", content: "x" }] }];
  await Promise.all(["team/app:1", "team/app:2", "other:1"].map((name) => pushFixture(registry, name, { layers })));
});

after(async () => {
  await registry?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const ANY = { type: "insecureAcceptAnything" };
const NONE = { type: "reject" };
const GPG = { type: "signedBy", keyType: "GPGKeys", keyPath: "/nonexistent/key.gpg" };

/** Policies as documents or as text; scopes begin with the registry's host in place of `REG`. */
const POLICIES: readonly (readonly [string, unknown])[] = [
  ["anything", { default: [ANY] }],
  ["nothing", { default: [NONE] }],
  ["both", { default: [ANY, NONE] }],
  ["a repository", { default: [NONE], transports: { docker: { "REG/team/app": [ANY] } } }],
  ["a tag", { default: [NONE], transports: { docker: { "REG/team/app:1": [ANY], "REG/team/app": [NONE] } } }],
  ["a name space", { default: [ANY], transports: { docker: { "REG/team": [NONE] } } }],
  ["a registry", { default: [ANY], transports: { docker: { REG: [NONE] } } }],
  ["a transport", { default: [NONE], transports: { docker: { "": [ANY] } } }],
  ["another transport", { default: [NONE], transports: { dir: { "": [ANY] } } }],
  ["a half name", { default: [NONE], transports: { docker: { "REG/tea": [ANY] } } }],
  ["GPG keys that are not there", { default: [ANY], transports: { docker: { REG: [GPG] } } }],
];

const MALFORMED: typeof POLICIES = [
  ["no default", { transports: { docker: { "": [ANY] } } }],
  ["no requirement", { default: [] }],
  ["an unknown kind", { default: [{ type: "trustMe" }] }],
  ["an unknown key", { default: [{ ...ANY, really: true }] }],
  ["an unknown key at the top", { default: [ANY], more: 1 }],
  ["a key twice", '{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}'],
  ["no kind", { default: [{}] }],
  ["no list", { default: ANY }],
  ["GPG without a key", { default: [{ type: "signedBy", keyType: "GPGKeys" }] }],
  ["a requirement that is no object", { default: ["reject"] }],
  ["a scope that is no list", { default: [ANY], transports: { docker: { REG: ANY } } }],
  ["a transport that is no object", { default: [ANY], transports: { docker: [] } }],
  ["no JSON", "{"],
  ["an empty file", ""],
];

test("policies let the same images through as with skopeo, and the same files are refused", async () => {
  const verdicts: Record<string, readonly boolean[]> = {};
  const expected: Record<string, readonly boolean[]> = {};
  const words: string[] = [];
  const policy = directory.join("policy.json");
  for (const [name, document] of [...POLICIES, ...MALFORMED]) {
    const text = typeof document === "string" ? document : JSON.stringify(document);
    writeFileSync(policy, text.replaceAll("REG", registry.host));
    const judge = async (
      run: (args: readonly string[]) => Promise<{ readonly status: number | null; readonly stderr: string }>,
    ) => {
      const images = POLICIES.some(([known]) => known === name) ? ["team/app:1", "team/app:2", "other:1"] : ["other:1"];
      const copies = images.map(async (image, index) => {
        const to = directory.join(`copy-${index}`);
        const source = `docker://${registry.host}/${image}`;
        const flags = [`--policy=${policy}`, "copy", "-q", "--src-tls-verify=false"];
        const { status, stderr } = await run([...flags, source, `dir:${to}`]);
        words.push(`${name}, ${image}: ${status} ${stderr}`);
        rmSync(to, { recursive: true, force: true });
        return status === 0;
      });
      return Promise.all(copies);
    };
    expected[name] = await judge((args) => runProgram(["skopeo", ...args]));
    verdicts[name] = await judge(skopeoInProcess);
  }
  deepEqual(verdicts, expected, words.join("\n"));
  // Without a file skopeo refuses everything; `--insecure-policy` lets everything through, for both.
  writeFileSync(policy, JSON.stringify({ default: [NONE] }));
  const source = `docker://${registry.host}/other:1`;
  const insecure = ["--insecure-policy", "copy", "-q", "--src-tls-verify=false", source, `dir:${directory.join("in")}`];
  for (const run of [(args: readonly string[]) => runProgram(["skopeo", ...args]), skopeoInProcess]) {
    equal((await run(insecure)).status, 0);
  }
});
