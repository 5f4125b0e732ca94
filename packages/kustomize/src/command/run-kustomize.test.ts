import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runProgram, tempDir } from "@boxship/testkit";
import { runKustomize } from "./run-kustomize.ts";

const FILE = `# what this is
resources:
# the first
- a.yaml # with a reason
# the second
- b.yaml

# why there is a prefix
namePrefix: x-   # kept
images:
- name: nginx   # pinned
  newTag: "1.0"
- name: redis
  newTag: "7"
commonLabels:
  # inside
  app: web
`;

const CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";

interface Surroundings {
  readonly run: (line: string) => Promise<{ status: number; stdout: string; stderr: string }>;
  readonly read: () => Promise<string>;
}

async function withFiles(files: Record<string, string>, work: (around: Surroundings) => Promise<void>): Promise<void> {
  await using directory = tempDir();
  const root = directory.join("k");
  await mkdir(root);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  await work({
    async run(line) {
      const out = { stdout: "", stderr: "" };
      const sink = (name: keyof typeof out) => ({ write: (text: string) => void (out[name] += text) });
      const io = { stdout: sink("stdout"), stderr: sink("stderr"), directory: root };
      const status = await runKustomize(line.split(" "), {
        ...io,
        run: (program, args) => runProgram([program, ...args]),
      });
      return { status, ...out };
    },
    read: () => readFile(join(root, "kustomization.yaml"), "utf8"),
  });
}

/** Each with what must be in the file after it, and what must not. */
const edits: readonly (readonly [line: string, there: readonly string[], gone: readonly string[]])[] = [
  ["edit add resource c.yaml", ["- a.yaml # with a reason\n# the second\n- b.yaml\n- c.yaml\n"], []],
  ["edit remove resource a.yaml", ["# the first\n", "# the second\n- b.yaml\n"], ["a.yaml"]],
  ["edit add component c", ["components:\n- c\n"], []],
  ["edit add base c", ["- b.yaml\n- c\n"], []],
  ["edit add transformer c.yaml", ["transformers:\n- c.yaml\n"], []],
  [
    "edit set image nginx=mirror/nginx:2",
    ['- name: nginx\n  newName: mirror/nginx\n  newTag: "2"\n- name: redis\n'],
    ["1.0"],
  ],
  ["edit set image nginx=other:*", ['  newName: other\n  newTag: "1.0"\n'], []],
  [
    "edit set image redis@sha256:ab",
    ['- name: nginx   # pinned\n  newTag: "1.0"\n- digest: sha256:ab\n  name: redis\n'],
    [],
  ],
  ["edit set nameprefix y-", ["# why there is a prefix\nnamePrefix: y-\n"], ["x-"]],
  ["edit set namesuffix -- -z", ["nameSuffix: -z\n", "namePrefix: x-   # kept\n"], []],
  ["edit set namespace here", ["namespace: here\n"], []],
  ["edit set replicas web=3", ["replicas:\n- count: 3\n  name: web\n"], []],
  ["edit add label tier:front,yes:no", ['# inside\ncommonLabels:\n  app: web\n  tier: front\n  "yes": "no"\n'], []],
  [
    "edit add label k:v --without-selector --include-templates",
    ["labels:\n- includeTemplates: true\n  pairs:\n    k: v\n"],
    [],
  ],
  ["edit remove label app", ["# inside\n"], ["commonLabels"]],
  ["edit set label app:shop", ["app: shop\n"], ["app: web"]],
  ["edit add annotation a:b", ["commonAnnotations:\n  a: b\n"], []],
  [
    "edit add patch --path p.yaml --kind Deployment",
    ["patches:\n- path: p.yaml\n  target:\n    kind: Deployment\n"],
    [],
  ],
  [
    "edit add configmap m --from-literal=a=b --from-file=f",
    ["configMapGenerator:\n- files:\n  - f\n  literals:\n  - a=b\n  name: m\n"],
    [],
  ],
  [
    "edit add secret s --from-env-file=e --type t --disableNameSuffixHash",
    ["  options:\n    disableNameSuffixHash: true\n  type: t\n"],
    [],
  ],
  ["edit add secret s --from-literal a=b", ["  name: s\n  type: Opaque\n"], []],
  ["edit add buildmetadata originAnnotations", ["buildMetadata:\n- originAnnotations\n"], []],
  ["edit fix", ["labels:\n- includeSelectors: true\n  pairs:\n    app: web\n"], ["commonLabels"]],
];

test("edits change what they say, and keep every comment and all other text", async () => {
  const files = {
    "kustomization.yaml": FILE,
    "a.yaml": CONFIG_MAP,
    "b.yaml": CONFIG_MAP.replace("c}", "b}"),
    "c.yaml": CONFIG_MAP,
    "c/x": "",
    "p.yaml": "",
  };
  for (const [line, there, gone] of edits) {
    await withFiles(files, async ({ run, read }) => {
      const { status, stderr } = await run(line);
      assert.deepEqual([status, stderr], [0, ""], line);
      const text = await read();
      for (const part of there) assert.ok(text.includes(part), `${line}: ${part} is not in\n${text}`);
      for (const part of gone) assert.ok(!text.includes(part), `${line}: ${part} is in\n${text}`);
      for (const comment of ["# what this is", "# the first", "# the second", "# why there is a prefix"]) {
        assert.ok(text.includes(comment), `${line}: ${comment} is gone`);
      }
    });
  }
});

test("an edit that changes nothing leaves the file's text", async () => {
  await withFiles(
    { "kustomization.yaml": `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n${FILE}` },
    async ({ run, read }) => {
      const before = await read();
      await run("edit set nameprefix x-");
      assert.equal(await read(), before);
    },
  );
});

test("edits and commands that cannot be are refused", async () => {
  await withFiles({ "kustomization.yaml": FILE, "a.yaml": "" }, async ({ run }) => {
    for (const [line, why] of [
      ["edit add resource nope.yaml", /nope\.yaml has no match/],
      ["edit add label app:x", /label app already in kustomization file/],
      ["edit set image nginx", /invalid format of image/],
      ["edit set replicas web", /invalid format of replica/],
      ["edit set nameprefix", /must specify exactly one prefix value/],
      ["edit add patch", /must provide either patch or path/],
      ["edit remove configmap none", /no specified configmap\(s\) were found/],
      ["edit remove annotation none", /annotation none is not defined/],
      ["edit add buildmetadata nothing", /invalid buildMetadata option/],
      ["edit fix --vars", /--vars is not supported/],
      ["build --enable-alpha-plugins", /--enable-alpha-plugins is not supported/],
      ["build --load-restrictor x", /illegal flag value --load-restrictor x/],
      ["build --no-such-flag", /unknown flag: --no-such-flag/],
      ["localize x", /kustomize localize is not supported/],
      ["bake", /unknown command "bake"/],
    ] as const) {
      const { status, stderr } = await run(line);
      assert.equal(status, 1, line);
      assert.match(stderr, why, line);
    }
  });
});

test("create makes a kustomization of what is there", async () => {
  await withFiles(
    { "b.yaml": CONFIG_MAP, "notes.yaml": "just: text\n", "sub/kustomization.yaml": "namePrefix: x\n" },
    async ({ run, read }) => {
      assert.equal((await run("create --autodetect --nameprefix n- --labels a:b")).status, 0);
      const head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
      assert.equal(await read(), `${head}resources:\n- b.yaml\n- sub\nnamePrefix: n-\ncommonLabels:\n  a: b\n`);
      assert.match((await run("create")).stderr, /kustomization file already exists/);
      assert.match((await run("build")).stdout, /^ {2}name: n-c$/m);
    },
  );
});

test("a base comes from a git repository, at its reference, and cannot reach out of it", async () => {
  await using directory = tempDir();
  const repository = directory.join("repo");
  await mkdir(join(repository, "base"), { recursive: true });
  await writeFile(join(repository, "base/kustomization.yaml"), "resources: [c.yaml]\nnameSuffix: -v1\n");
  await writeFile(join(repository, "base/c.yaml"), CONFIG_MAP);
  const git = async (...args: readonly string[]): Promise<void> => {
    const own = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"];
    const { status, stderr } = await runProgram(["git", "-C", repository, ...own, ...args]);
    assert.equal(status, 0, stderr);
  };
  await git("init", "-q");
  await git("add", ".");
  await git("commit", "-qm", "one");
  await git("tag", "v1");
  await writeFile(join(repository, "base/kustomization.yaml"), "resources: [../../outside]\n");
  await git("commit", "-qam", "two");
  const build = (reference: string) => ({
    "kustomization.yaml": `resources: ["file://${repository}//base?ref=${reference}"]\n`,
  });
  await withFiles(build("v1"), async ({ run }) => {
    assert.deepEqual(await run("build"), {
      status: 0,
      stdout: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c-v1\n",
      stderr: "",
    });
  });
  await withFiles(build("main"), async ({ run }) => {
    const { status, stderr } = await run("build");
    assert.equal(status, 1);
    assert.match(stderr, /outside: no such file or directory|is outside/);
  });
  await withFiles(build("nope"), async ({ run }) =>
    assert.match((await run("build")).stderr, /failed to run 'git fetch/),
  );
});

test("a resource comes from an address, and one that is not there is told", async () => {
  await using stack = new AsyncDisposableStack();
  const server = createServer((request, response) => {
    if (request.url === "/c.yaml") response.end(CONFIG_MAP);
    else response.writeHead(404).end();
  });
  stack.defer(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await withFiles({ "kustomization.yaml": `resources: ["${address}/c.yaml"]\nnamePrefix: x-\n` }, async ({ run }) => {
    assert.match((await run("build")).stdout, /^ {2}name: x-c$/m);
  });
  await withFiles({ "kustomization.yaml": `resources: ["${address}/no.yaml"]\n` }, async ({ run }) => {
    const why = `accumulating resources: accumulating resources from '${address}/no.yaml': HTTP Error: status code 404 (Not Found)`;
    assert.deepEqual(await run("build"), { status: 1, stdout: "", stderr: `Error: ${why}\n` });
  });
});
