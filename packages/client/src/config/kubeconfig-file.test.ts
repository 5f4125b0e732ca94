import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import { load } from "js-yaml";
import { putKubeconfig, removeFromKubeconfig } from "./kubeconfig-file.ts";

const config = (name: string, server: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server } }],
    users: [{ name: `${name}-admin`, user: { token: name } }],
    contexts: [{ name, context: { cluster: name, user: `${name}-admin` } }],
    "current-context": name,
  });

const OTHERS = `# mine
apiVersion: v1
kind: Config
clusters: [{name: other, cluster: {server: "https://other:6443"}}]
users: [{name: other-admin, user: {token: abc}}]
contexts: [{name: other, context: {cluster: other, user: other-admin}}, {name: own, context: {cluster: old, user: u, namespace: web}}]
current-context: other
`;

test("a cluster comes into a kubeconfig beside others, and what was chosen in it stays", async () => {
  await using directory = tempDir();
  const path = directory.join("made", "config");
  await putKubeconfig(path, config("own", "https://a"));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const set = (change: (file: { contexts: { context: object }[]; "current-context": string }) => void): string => {
    const file = JSON.parse(readFileSync(path, "utf8"));
    change(file);
    const text = JSON.stringify(file);
    writeFileSync(path, text);
    return text;
  };
  const chosen = set((file) => Object.assign(file.contexts[0]?.context ?? {}, { namespace: "web" }));
  await putKubeconfig(path, config("own", "https://a"));
  assert.equal(readFileSync(path, "utf8"), chosen, "nothing has changed");
  await putKubeconfig(path, config("own", "https://b"));
  const { clusters, contexts } = JSON.parse(readFileSync(path, "utf8"));
  assert.deepEqual(clusters, [{ name: "own", cluster: { server: "https://b" } }]);
  assert.deepEqual(contexts[0].context, { namespace: "web", cluster: "own", user: "own-admin" });
  await putKubeconfig(path, config("second", "https://c"));
  await putKubeconfig(path, config("own", "https://d"));
  assert.equal(JSON.parse(readFileSync(path, "utf8"))["current-context"], "second", "the one that was chosen");
  await putKubeconfig(path, config("own", "https://d"), { makeCurrent: true });
  assert.equal(JSON.parse(readFileSync(path, "utf8"))["current-context"], "own");
  set((file) => (file["current-context"] = "nowhere"));
  await putKubeconfig(path, config("second", "https://c"));
  assert.equal(JSON.parse(readFileSync(path, "utf8"))["current-context"], "second", "what is not there is no choice");
});

test("somebody else's file keeps its place, mode and entries, and has them when the cluster is gone", async () => {
  await using directory = tempDir();
  const [path, target] = [directory.join("config"), directory.join("dotfiles")];
  writeFileSync(target, OTHERS);
  chmodSync(target, 0o640);
  symlinkSync(target, path);
  await putKubeconfig(path, config("own", "https://a"));
  const { contexts, ...file } = load(readFileSync(target, "utf8")) as Record<string, unknown>;
  assert.equal(statSync(target).mode & 0o777, 0o640);
  assert.equal(file["current-context"], "other", "the context was there, and another one chosen");
  assert.deepEqual(contexts, [
    { name: "other", context: { cluster: "other", user: "other-admin" } },
    { name: "own", context: { cluster: "own", user: "own-admin", namespace: "web" } },
  ]);
  await removeFromKubeconfig(path, "own");
  const left = load(readFileSync(target, "utf8")) as Record<string, unknown>;
  assert.deepEqual(left["clusters"], [{ name: "other", cluster: { server: "https://other:6443" } }]);
  assert.deepEqual(left["users"], [{ name: "other-admin", user: { token: "abc" } }]);
  await removeFromKubeconfig(path, "other");
  assert.deepEqual([existsSync(path), existsSync(target)], [false, false], "nothing is left in it");
  await removeFromKubeconfig(path, "other");
});

test("nobody is given a cluster by a file or a link that he has put there", {
  skip: process.geteuid?.() !== 0,
}, async () => {
  await using directory = tempDir();
  const [path, target] = [directory.join("config"), directory.join("target")];
  writeFileSync(target, OTHERS);
  const refused = async () => {
    await assert.rejects(putKubeconfig(path, config("own", "https://a")), {
      code: "PermissionDenied",
      remedy: /another file/,
    });
    await removeFromKubeconfig(path, "other");
    assert.equal(readFileSync(path, "utf8"), OTHERS);
  };
  symlinkSync(target, path);
  lchownSync(path, 1000, 1000);
  await refused();
  lchownSync(path, 0, 0);
  chownSync(target, 1000, 1000);
  await refused();
  await putKubeconfig(path, config("own", "https://a"), { ofAnybody: true });
  assert.equal(statSync(target).uid, 1000);
});

test("what is no kubeconfig is neither written nor removed", async () => {
  await using directory = tempDir();
  const path = directory.join("notes");
  for (const text of ["- a list", "a: ["]) {
    writeFileSync(path, text);
    await assert.rejects(putKubeconfig(path, config("own", "https://a")), InvalidArgument);
    await removeFromKubeconfig(path, "own");
    assert.equal(readFileSync(path, "utf8"), text);
  }
  writeFileSync(path, "\n");
  await putKubeconfig(path, config("own", "https://a"));
  assert.match(readFileSync(path, "utf8"), /https:\/\/a/);
});
