import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Boxship, type Dockerd, type Ran, runProgram, startBoxship, startDockerd } from "@boxship/testkit";
import { type CorpusCase, corpus } from "../testing/corpus.ts";

/** What Docker's classic builder of 20.10 does not know. */
const BUILDKIT_ONLY =
  /^(?:heredoc|run-mount|run-network|copy-link|copy-parents|copy-exclude|copy-chmod|include|platform-args|syntax-directive)/;
/** Cases whose result is ours on purpose. */
const DIFFERS: Readonly<Record<string, string>> = {
  "env-patterns": "20.10 knows no patterns in variables",
  "env-modifiers": "20.10 knows no modifiers without a colon",
  "no-shell-expansion": "20.10 takes the escaped dollar for a variable",
};

interface Engine {
  readonly socketPath: string;
  readonly docker: (...args: readonly string[]) => Promise<Ran>;
}

function engineOn(socketPath: string): Engine {
  const env = { DOCKER_HOST: `unix://${socketPath}`, DOCKER_BUILDKIT: "0" };
  return { socketPath, docker: (...args) => runProgram(["/usr/bin/docker", ...args], { env }) };
}

async function ok(engine: Engine, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.docker(...args);
  assert.equal(status, 0, `docker ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

/** Ids differ from build to build. */
function masked(text: string): string {
  return (
    text
      .replace(/^Sending build context.*\n/gm, "")
      // Docker 20.10 says it in other words than Docker 23 and later.
      .replace(/^Note: overriding previous HEALTHCHECK.*\n/gm, "")
      .replace(/(?: "0s")+ '\\x/g, " '\\x")
      .replace(/^Removing intermediate/gm, " ---> Removed intermediate")
      .replace(/\b[0-9a-f]{64}\b/g, "DIGEST")
      .replace(/\b[0-9a-f]{12}\b/g, "ID")
  );
}

describe("docker build, beside Docker's own classic builder", { concurrency: 2 }, () => {
  let boxship: Boxship;
  let dockerd: Dockerd;
  let engines: readonly [Engine, Engine];

  before(async () => {
    [boxship, dockerd] = await Promise.all([startBoxship(), startDockerd()]);
    engines = [engineOn(boxship.socketPath), engineOn(dockerd.socketPath)];
    await boxship.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
    const image = await runProgram([
      "sh",
      "-c",
      `docker -H unix://${boxship.socketPath} save busybox:latest | docker -H unix://${dockerd.socketPath} load`,
    ]);
    assert.equal(image.status, 0, image.stderr);
  });
  after(async () => {
    await Promise.all([boxship[Symbol.asyncDispose](), dockerd[Symbol.asyncDispose]()]);
  });

  async function built(engine: Engine, { name, directory }: CorpusCase) {
    const output = await ok(engine, "build", "-t", `corpus/${name}`, "-f", `${directory}/Containerfile`, directory);
    const [inspected] = JSON.parse(await ok(engine, "image", "inspect", `corpus/${name}`)) as {
      readonly Config: Readonly<Record<string, unknown>>;
    }[];
    const fields = [
      "User",
      "ExposedPorts",
      "Env",
      "Cmd",
      "Entrypoint",
      "Volumes",
      "WorkingDir",
      "Labels",
      "StopSignal",
    ];
    const more = ["Healthcheck", "Shell", "OnBuild"];
    const config = Object.fromEntries([...fields, ...more].map((key) => [key, emptyIsNull(inspected?.Config[key])]));
    const history = await ok(engine, "history", "--no-trunc", "--format", "{{.CreatedBy}}", `corpus/${name}`);
    return { output: masked(output), config, history: masked(history).replace(/(?:dir|file|multi):DIGEST/g, "SOURCE") };
  }

  for (const one of corpus()) {
    const why = BUILDKIT_ONLY.test(one.name) ? "only BuildKit has it" : DIFFERS[one.name];
    test(one.name, { skip: why ?? false }, async () => {
      const [ours, theirs] = await Promise.all(engines.map((engine) => built(engine, one)));
      assert.deepEqual(ours, theirs);
    });
  }
});

function emptyIsNull(value: unknown): unknown {
  const isEmpty =
    value === undefined ||
    value === "" ||
    (typeof value === "object" && value !== null && Object.keys(value).length === 0);
  return isEmpty ? null : value;
}
