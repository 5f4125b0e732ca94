import { deepEqual, equal, match } from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import {
  pushFixture,
  pushIndexFixture,
  runProgram,
  startRegistry,
  type TempDir,
  type TestRegistry,
  tempDir,
} from "@boxship/testkit";
import { commandInProcess, skopeoInProcess } from "../testing/in-process.ts";
import { command as generate } from "./key-generate.ts";
import { command as sign } from "./sign.ts";
import { command as verify } from "./verify.ts";

const layers = [{ entries: [{ name: "file", content: "signed" }] }];

describe("signatures with key pairs", () => {
  let registry: TestRegistry;
  let directory: TempDir;
  const env = () => ({ ...process.env, COSIGN_PASSWORD: "secret" });
  const at = (name: string) => `${registry.host}/${name}`;
  const run = (command: Parameters<typeof commandInProcess>[0], ...args: string[]) =>
    commandInProcess(command, args, { env: env() });

  before(async () => {
    directory = tempDir("sign");
    registry = await startRegistry();
    await pushFixture(registry, "team/ours:1", { layers });
    await pushFixture(registry, "team/none:1", { layers });
    await pushIndexFixture(registry, "team/multi:1", [{ layers }, { architecture: "s390x", layers }]);
    for (const name of ["one", "two"]) {
      const made = await run(generate, `--output-key-prefix=${directory.join(name)}`);
      equal(made.status, 0, made.stderr);
    }
  });
  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  const [key, pub] = [() => `--key=${directory.join("one.key")}`, () => `--key=${directory.join("one.pub")}`];

  test("signed, verified by its key only, and signed again", async () => {
    const signed = await run(sign, key(), "-a", "by=me", at("team/ours:1"));
    match(signed.stdout, /^Signed .*team\/ours@sha256:[0-9a-f]{64}\n$/, signed.stderr);
    equal((await run(sign, `--key=${directory.join("two.key")}`, at("team/ours:1"))).status, 0);
    const verified = await run(verify, pub(), at("team/ours:1"));
    const [claim] = JSON.parse(verified.stdout) as [{ critical: { identity: unknown }; optional: unknown }];
    deepEqual(claim.critical.identity, { "docker-reference": at("team/ours:1") });
    deepEqual(claim.optional, { by: "me" });
    equal((await run(verify, `--key=${directory.join("two.pub")}`, at("team/ours:1"))).status, 0);
    equal((await run(verify, pub(), "-a", "by=me", at("team/ours:1"))).status, 0);
    match(
      (await run(verify, pub(), "-a", "by=you", at("team/ours:1"))).stderr,
      /what was signed is not what was asked for/,
    );
    match((await run(verify, pub(), at("team/none:1"))).stderr, /no signatures found|no given key/);
    const wrong = await commandInProcess(sign, [key(), at("team/ours:1")], {
      env: { ...env(), COSIGN_PASSWORD: "no" },
    });
    match(wrong.stderr, /wrong passphrase/);
  });

  test("a policy admits what its keys have signed, under the name that they signed", async () => {
    const policy = directory.join("policy.json");
    const requirement = { type: "sigstoreSigned", keyPath: directory.join("one.pub") };
    writeFileSync(
      policy,
      JSON.stringify({
        default: [{ type: "reject" }],
        transports: { docker: { [registry.host]: [requirement] }, dir: { "": [{ type: "insecureAcceptAnything" }] } },
      }),
    );
    const settings = directory.join("registries.d");
    mkdirSync(settings);
    writeFileSync(`${settings}/default.yaml`, "default-docker:\n  use-sigstore-attachments: true\n");
    const flags = [`--policy=${policy}`, `--registries.d=${settings}`];
    equal((await run(sign, key(), at("team/ours:1"))).status, 0);
    const copy = (name: string, to: string) => [
      "copy",
      "--src-tls-verify=false",
      `docker://${at(name)}`,
      `dir:${directory.join(to)}`,
    ];
    const reference = await runProgram(["skopeo", ...flags, ...copy("team/ours:1", "reference")]);
    // Debian builds skopeo without sigstore: it finds our signatures, and says that it may not look at them.
    match(reference.stderr, /sigstore disabled|^$/);
    const admitted = await skopeoInProcess([`--policy=${policy}`, ...copy("team/ours:1", "admitted")]);
    equal(admitted.status, 0, admitted.stderr);
    const unsigned = await skopeoInProcess([`--policy=${policy}`, ...copy("team/multi:1", "unsigned")]);
    match(unsigned.stderr, /rejected by policy: a signature was required, but no signature exists/);
    // A signed index vouches for its images.
    equal((await run(sign, key(), at("team/multi:1"))).status, 0);
    equal((await skopeoInProcess([`--policy=${policy}`, ...copy("team/multi:1", "index")])).status, 0);
    const foreign = await skopeoInProcess([
      `--policy=${policy}`,
      "copy",
      `dir:${directory.join("index")}`,
      `oci:${directory.join("x")}:y`,
    ]);
    equal(foreign.status, 0, foreign.stderr);
    const archive = await skopeoInProcess([
      `--policy=${policy}`,
      "copy",
      `oci:${directory.join("x")}:y`,
      `dir:${directory.join("z")}`,
    ]);
    match(archive.stderr, /its registry or repository is not allowed/);
  });
});
