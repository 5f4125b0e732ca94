import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { dockerCli, type RunOptions, startBoxship, tempDir } from "@boxship/testkit";

/** Every field of `build:` in Compose's file. */
const COMPOSE = `
services:
  web:
    image: composed:1
    build:
      context: .
      args: { A: b }
  inline:
    image: inline:1
    build:
      context: .
      dockerfile_inline: |
        FROM busybox
        RUN echo inline > /inline
  every:
    image: every:1
    build:
      context: app
      dockerfile: Own.Dockerfile
      target: wanted
      args: [ A=b, FROM_ENV ]
      additional_contexts: { other: ./other }
      secrets: [ token ]
      labels: { l: m }
      tags: [ also:1 ]
      network: none
      shm_size: 128m
      ulimits: { nofile: { soft: 4321, hard: 4321 } }
      extra_hosts: [ somewhere=10.1.2.3 ]
      platforms: [ linux/amd64 ]
      pull: false
      cache_to: [ "type=local,dest=./cache" ]
      cache_from: [ "type=local,src=./cache" ]
  insecure:
    profiles: [ refused ]
    build: { context: ., privileged: true, entitlements: [ security.insecure ] }
  network:
    profiles: [ refused ]
    build: { context: ., network: of-nobody }
secrets:
  token: { environment: TOKEN }
`;

/** Services that are not built, and why. */
const REFUSED = [["network", /of-nobody/]] as const;

test("Compose builds what its file says", async (context) => {
  await using work = tempDir("compose");
  await using boxship = await startBoxship();
  const docker = dockerCli(boxship.socketPath);
  if (docker === undefined || (await docker(["compose", "version"])).status !== 0) {
    context.skip("Compose is not here");
    return;
  }
  const directory = work.join("project");
  const run = async (args: readonly string[], options: RunOptions, wanted: boolean) => {
    const { status, stdout, stderr } = await docker(args, { timeout: 120_000, cwd: directory, ...options });
    assert.equal(status === 0, wanted, `docker ${args.join(" ")}: ${status}\n${stdout}${stderr}`);
    return `${stdout}${stderr}`;
  };
  const ok = (args: readonly string[], options: RunOptions = {}) => run(args, options, true);
  const fails = (args: readonly string[], options: RunOptions = {}) => run(args, options, false);
  await boxship.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  const files = {
    "compose.yaml": COMPOSE,
    Dockerfile: "FROM busybox\nARG A\nRUN echo $A > /a\nCMD cat /a\n",
    "app/Own.Dockerfile":
      "FROM busybox AS base\nARG A\nARG FROM_ENV\nCOPY --from=other file /file\n" +
      "RUN --mount=type=secret,id=token echo $A $FROM_ENV $(wc -c < /run/secrets/token) > /out\n" +
      "RUN grep -c 10.1.2.3 /etc/hosts >> /out; df -k /dev/shm | awk 'NR==2 {print $2}' >> /out; ulimit -n >> /out\n" +
      "RUN ls /sys/class/net | wc -l >> /out\nFROM base AS wanted\nRUN cat /file >> /out\nFROM base\nRUN false\n",
    "other/file": "from elsewhere\n",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }

  const env = { FROM_ENV: "env", TOKEN: "12345" };
  await ok(["compose", "build"], { env });
  assert.equal(await ok(["run", "--rm", "composed:1"]), "b\n");
  assert.equal(await ok(["run", "--rm", "inline:1", "cat", "/inline"]), "inline\n");
  // Arguments, the secret, the host, the size of /dev/shm in kB, the limit, lo alone, and the named context.
  const out = await ok(["run", "--rm", "--network", "none", "every:1", "cat", "/out"]);
  assert.deepEqual(out.split("\n"), ["b env 5", "1", "131072", "4321", "1", "from elsewhere", ""]);
  const labels = await ok(["image", "inspect", "-f", "{{json .Config.Labels}}", "also:1"]);
  assert.equal((JSON.parse(labels) as Readonly<Record<string, string>>)["l"], "m");
  assert.ok(existsSync(join(directory, "cache/index.json")));
  assert.match(await ok(["compose", "--progress", "plain", "build", "every"], { env }), /CACHED/);
  assert.doesNotMatch(
    await ok(["compose", "--progress", "plain", "build", "--no-cache", "every"], { env }),
    /RUN[^\n]*\n#\d+ CACHED/,
  );
  for (const [service, words] of REFUSED) {
    assert.match(await fails(["compose", "--profile", "refused", "build", service], { env }), words);
  }
});
