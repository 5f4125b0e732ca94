import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { repositoryRoot, runProgram, tempDir } from "@boxship/testkit";
import { type CorpusCase, corpus } from "../testing/corpus.ts";
import { listTree } from "../testing/list-tree.ts";
import { openTestBuilder, type TestBuilder } from "../testing/open-builder.ts";

const places = [resolve(repositoryRoot, ".cache/parts/root/usr/bin/buildah"), "/usr/bin/buildah"];
const program = places.find((path) => existsSync(path)) ?? "";

/** What Debian's buildah 1.28 cannot build, or builds otherwise. */
const DIFFERS: readonly (readonly [RegExp, string])[] = [
  [/^heredoc/, "buildah 1.28 has no heredocs"],
  [/^include/, "INCLUDE is ours"],
  [/^copy-(?:link|parents|exclude|chmod-symbolic)|^syntax/, "buildah 1.28 does not know the flag"],
  [/^env-patterns|^env-modifiers/, "buildah 1.28 has fewer modifiers"],
  [/^run-mount|^run-network/, "mounts and networks leave other traces there"],
  [/^copy-merge/, "buildah leaves the mode of directories that are there"],
  [/^copy-chown/, "buildah takes the user's own group where none is given, Docker the group of the user's name"],
  [/^env-in-words|^workdir-relative/, "buildah makes working directories only where something runs"],
  [/^escape-directive/, "buildah takes the backslash for an escape all the same"],
  [/^expose/, "buildah keeps ranges of ports as they are"],
];

/** Those that say most about files; all of them are built with BOXSHIP_TEST_ALL=1. */
const USUAL =
  /^(?:copy-(?:dir|glob|symlinks|into-symlink|over-file|mode|from-stage)|ignore|run-(?:removes|replaces-dir|links|modes)|multi-stage|onbuild|healthcheck$)/;
const all = process.env["BOXSHIP_TEST_ALL"] === "1";

/** Both build the same files: the same trees and the same configuration. */
describe("the corpus, beside buildah", { skip: program === "" ? "buildah is not here" : false }, () => {
  let builder: TestBuilder;
  const directory = tempDir("buildah");
  let command: readonly string[];

  before(async () => {
    builder = await openTestBuilder();
    const policy = directory.join("policy.json");
    writeFileSync(policy, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
    const storage = [
      "--root",
      directory.join("storage"),
      "--runroot",
      directory.join("run"),
      "--storage-driver",
      "vfs",
    ];
    command = [program, ...storage];
    await builder.build("FROM busybox\n", {
      outputs: [
        { kind: "docker", names: ["busybox:latest"], write: (bytes) => save(bytes, directory.join("base.tar")) },
      ],
    });
    await run("pull", "--signature-policy", policy, `docker-archive:${directory.join("base.tar")}`);
  });
  after(async () => {
    await builder[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  async function run(...args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await runProgram([...command, ...args]);
    assert.equal(status, 0, `buildah ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  }

  async function theirs({ name, directory: context }: CorpusCase) {
    const policy = directory.join("policy.json");
    const flags = [
      "--signature-policy",
      policy,
      "--format",
      "docker",
      "--pull-never",
      "--runtime",
      "runc",
      "--isolation",
      "chroot",
    ];
    await run("bud", ...flags, "-t", name, "-f", `${context}/Containerfile`, context);
    const container = await run("from", "--signature-policy", policy, "--pull-never", name);
    const tree = listTree(await run("mount", container));
    const inspected = JSON.parse(await run("inspect", "--type", "image", name)) as {
      readonly Docker: { readonly config: Readonly<Record<string, unknown>> };
    };
    await run("rm", container);
    return { tree, config: picked(inspected.Docker.config) };
  }

  async function ours({ name, directory: context }: CorpusCase) {
    const { imageId = "" } = await builder.builder.build(
      { file: { kind: "context", path: "Containerfile" }, context: { kind: "directory", path: context } },
      () => {},
    );
    const { images } = builder.engine.parts;
    const path = await images.mountReadOnly(imageId, `compare-${name}`);
    try {
      return { tree: listTree(path), config: picked(images.store.resolve(imageId).config.config ?? {}) };
    } finally {
      await images.unmount(`compare-${name}`);
    }
  }

  for (const one of corpus()) {
    const skip = DIFFERS.find(([pattern]) => pattern.test(one.name))?.[1] ?? false;
    if (!all && !USUAL.test(one.name)) continue;
    test(one.name, { skip }, async () => {
      const [mine, other] = await Promise.all([ours(one), theirs(one)]);
      assert.deepEqual(withoutRuntime(mine.tree), withoutRuntime(other.tree));
      assert.deepEqual(mine.config, other.config);
    });
  }
});

/** Places that buildah leaves for what it mounts while a command runs. */
function withoutRuntime(tree: readonly string[]): readonly string[] {
  return tree.filter(
    (line) => !/^(?:dev|proc|sys|run|etc\/(?:hosts|hostname|resolv\.conf)|etc|run\/.containerenv)\/? /.test(line),
  );
}

const FIELDS = [
  "User",
  "ExposedPorts",
  "Env",
  "Cmd",
  "Entrypoint",
  "WorkingDir",
  "Labels",
  "StopSignal",
  "Healthcheck",
];

function picked(config: object): Readonly<Record<string, unknown>> {
  const fields = config as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    FIELDS.map((field) => {
      const value = fields[field];
      const own = field === "Labels" ? withoutOwn(value) : value;
      const isEmpty = own === undefined || own === null || own === "" || Object.keys(own).length === 0;
      return [field, isEmpty ? null : field === "Env" ? (own as readonly string[]).toSorted() : own];
    }),
  );
}

function withoutOwn(labels: unknown): object {
  return Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => key !== "io.buildah.version"));
}

async function save(bytes: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  writeFileSync(path, Buffer.concat(pieces));
}
