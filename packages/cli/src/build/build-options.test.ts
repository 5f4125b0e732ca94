import assert from "node:assert/strict";
import { test } from "node:test";
import { FlagError } from "../failure.ts";
import { annotationsOf, checkHosts, namedContexts, pairsOf } from "./build-options.ts";
import { parseOutput } from "./outputs.ts";
import { readSecrets } from "./secrets.ts";

test("hosts have a name and an address", () => {
  const good = ["a:1.2.3.4", "b=::1", "c:[::2]", "d:host-gateway"];
  assert.deepEqual(checkHosts(good), good);
  for (const bad of ["bad", "a:b", ":1.2.3.4", "a:", "a:1.2.3", "a=[1"])
    assert.throws(() => checkHosts([bad]), new FlagError(`invalid host ${bad}`));
});

test("a key without a value has the default's, and one without a name is none", () => {
  assert.deepEqual(
    pairsOf(["a", "b=c=d", "e="], () => null),
    { a: null, b: "c=d", e: "" },
  );
  assert.throws(() => pairsOf(["=x"], () => ""), /invalid key-value pair "=x": empty key/);
});

test("annotations are for manifests or for the index, and no other is taken for one of them", () => {
  assert.deepEqual(annotationsOf(["a=1", "manifest:b=2", "index:c=x:y", "org.x/d=3"]), {
    annotations: { a: "1", b: "2", "org.x/d": "3" },
    indexAnnotations: { c: "x:y" },
  });
  for (const [bad, words] of [
    ["bad", /invalid annotation "bad", expected key=value/],
    ["=x", /invalid annotation key/],
    ["index-descriptor:a=b", /annotations of index-descriptor are not supported/],
    ["nonsense:a=b", /annotations of nonsense are not supported/],
    ["manifest[linux/amd64]:a=b", /not supported: annotations are for all platforms/],
  ] as const)
    assert.throws(() => annotationsOf([bad]), words);
});

test("a named context is there, or is refused before anything is sent", () => {
  const { contexts, directories } = namedContexts(["a=/tmp", "b=docker-image://x", "a=/usr"]);
  assert.deepEqual(contexts, { a: { kind: "files" }, b: { kind: "image", reference: "x" } });
  assert.deepEqual(directories, [{ path: "/usr", prefix: "named/a", ignore: [] }]);
  assert.throws(() => namedContexts(["bad"]), /invalid context value: bad, expected key=value/);
  assert.throws(() => namedContexts(["a=/nonexistent"]), /build context a: stat \/nonexistent: no such file/);
});

test("what an output or a secret says and nobody knows is refused", async () => {
  assert.throws(() => parseOutput("type=image,push=maybe", []), /push is true or false/);
  const { remote } = parseOutput('type=image,"name=a,b",push=1', []);
  assert.deepEqual(remote, { kind: "image", names: ["a", "b"], push: true });
  const base64 = Buffer.from("v").toString("base64");
  assert.deepEqual(await readSecrets(["id=V", "id=b,env=V", "id=c,type=env,src=V"], { V: "v" }), {
    V: base64,
    b: base64,
    c: base64,
  });
  for (const [bad, words] of [
    ["s", /invalid field "s": must be a key=value pair/],
    ["id=s,nonsense=1", /unexpected key "nonsense"/],
    ["id=s,type=other", /unsupported secret type "other"/],
    ["src=/etc/hosts", /has no id/],
  ] as const)
    await assert.rejects(readSecrets([bad], {}), words);
});
