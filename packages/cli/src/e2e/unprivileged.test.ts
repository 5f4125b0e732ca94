import assert from "node:assert/strict";
import { cpSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import {
  type Boxship,
  openPodman,
  type Ran,
  repositoryRoot,
  runProgram,
  startBoxship,
  startDockerd,
  startRegistry,
  type TestRegistry,
  tempDir,
} from "@boxship/testkit";
import { boxship, onSocket } from "./programs.ts";

const SOAK = process.env["BOXSHIP_REAL_IMAGES"] === undefined ? "npm run soak starts another engine for it" : false;

/** `boxship build` in ordinary containers: default rights, default seccomp profile, nobody's socket. */
describe("a build inside an unprivileged container", () => {
  const directory = tempDir("inside");
  let engine: Boxship;
  let registry: TestRegistry;
  let run: (args: readonly string[]) => Promise<Ran>;
  const ok = async (args: readonly string[]): Promise<string> => {
    const ran = await run(args);
    assert.equal(ran.status, 0, `${args.join(" ")}: ${ran.stderr}${ran.stdout}`);
    return ran.stdout;
  };

  before(async () => {
    [engine, registry] = await Promise.all([startBoxship(), startRegistry()]);
    run = onSocket(engine.socketPath);
    await ok(["image", "bootstrap", "busybox"]);
    // What Node needs beside itself.
    const libraries = (await runProgram(["ldd", process.execPath])).stdout.match(/\/\S+/g) ?? [];
    for (const file of libraries) cpSync(realpathSync(file), directory.join(`tools/root/${file}`));
    writeFileSync(directory.join("tools/Dockerfile"), "FROM busybox\nCOPY root /\n");
    await ok(["build", "-q", "-t", "tools", directory.join("tools")]);
    await ok(["tag", "busybox", `${registry.host}/busybox`]);
    await ok(["push", "-q", `${registry.host}/busybox`]);
    mkdirSync(directory.join("src"));
    mkdirSync(directory.join("out"));
    writeFileSync(directory.join("src/file"), "from the context\n");
    writeFileSync(directory.join("secret"), "hidden");
    const base = `${registry.host}/busybox`;
    writeFileSync(
      directory.join("src/Dockerfile"),
      `FROM ${base} AS first
RUN --mount=type=cache,target=/c mkdir -p /d/inner && echo 1 > /d/inner/f && ln /d/inner/f /d/linked && rm /bin/watch
RUN --mount=type=secret,id=s --mount=type=bind,target=/ctx cat /ctx/file > /d/ctx; wc -c < /run/secrets/s > /d/secret
FROM ${base}
COPY --from=first /d /d
COPY --chown=5:6 file /owned
USER 1000:1001
RUN id -u; id -g; (sleep 1000 &) ; echo $PPID > /dev/null
USER root
RUN rm -r /d/inner && echo 2 > /d/two && chown 77:78 /d/two
RUN test -e /proc/self/exe && readlink /proc/self/exe > /proc-seen || echo none > /proc-seen
`,
    );
  });
  after(async () => {
    await Promise.all([engine[Symbol.asyncDispose](), registry[Symbol.asyncDispose]()]);
    await directory[Symbol.asyncDispose]();
  });

  /** A container that builds; nothing of an engine is in it. */
  function building(flags: readonly string[], words: string): readonly string[] {
    const places = [`${repositoryRoot}:${repositoryRoot}:ro`, `${directory.path}:/w`].flatMap((place) => ["-v", place]);
    const script = `! grep -q 'CapEff:.*[2-9a-f]........$' /proc/self/status || exit 99; ${boxship.join(" ")} ${words}`;
    return ["run", "--rm", "--network", "host", ...flags, ...places, "tools", "sh", "-ec", script];
  }

  async function checked(image: string): Promise<string> {
    const script =
      "cat /d/ctx /d/secret /d/two /d/linked; stat -c '%U %u:%g %h' /owned /d/two; ls -d /d/inner /c /ctx /run/secrets /dev/null /etc/hosts 2>&1; cat /proc-seen";
    return ok(["run", "--rm", "--network", "none", image, "sh", "-c", `${script}; true`]);
  }

  const EXPECTED = [
    ...["from the context", "6", "2", "1"],
    ...["UNKNOWN 5:6 1", "UNKNOWN 77:78 1"],
    ...["/d/inner", "/c", "/ctx", "/run/secrets"].map((path) => `ls: ${path}: No such file or directory`),
  ];

  test("it pushes an image to a registry, with the rights that every container has", async () => {
    const name = `${registry.host}/made:1`;
    await ok(building([], `build --push -t ${name} --secret id=s,src=/w/secret /w/src`));
    await ok(["pull", "-q", name]);
    const lines = (await checked(name)).trimEnd().split("\n");
    for (const line of EXPECTED) assert.ok(lines.includes(line), `${line}\n${lines.join("\n")}`);
    assert.equal(lines.at(-1), "none", "there is no /proc without user namespaces");
    const [{ RootFS }] = JSON.parse(await ok(["image", "inspect", name])) as [{ RootFS: { Layers: string[] } }];
    assert.equal(RootFS.Layers.length, 5);
    writeFileSync(
      directory.join("src/failing"),
      `FROM ${registry.host}/busybox\nRUN --mount=type=secret,id=l cat /run/secrets/l; exit 3\n`,
    );
    writeFileSync(directory.join("long"), "a-long-secret-value");
    const failed = await run(building([], "build -f /w/src/failing --secret id=l,src=/w/long /w/src"));
    assert.equal(failed.status, 3, failed.stderr);
    assert.match(failed.stderr, /\*\*\*/);
    assert.doesNotMatch(failed.stderr, /a-long-secret|Run it again/);
    assert.match(failed.stderr, /no shell in what it left/);
    const refused = await run(building([], "run --rm tools true"));
    assert.match(refused.stderr, /it only builds, pulls and pushes/);
  });

  test("in a container of Docker or podman it writes an archive", { skip: SOAK }, async () => {
    await using dockerd = await startDockerd();
    await using podman = await openPodman();
    const image = directory.join("tools.tar");
    await ok(["save", "-o", image, "tools"]);
    const docker = (words: readonly string[]) => runProgram(["docker", "-H", `unix://${dockerd.socketPath}`, ...words]);
    assert.equal((await docker(["load", "-i", image])).status, 0);
    assert.equal((await podman.call(["load", "-q", "-i", image])).status, 0);
    writeFileSync(
      directory.join("src/alone"),
      "FROM busybox\nCOPY file /d/ctx\nRUN echo 2 > /d/two && rm /bin/watch\n",
    );
    const program_ = boxship.join(" ");
    for (const other of ["docker", "podman"]) {
      const words = `image bootstrap busybox && ${program_} build -o type=oci,dest=/w/out/${other}.tar -t ${other}:1 -f /w/src/alone /w/src`;
      // Both have a network of none: there is nothing to be fetched.
      const [, , , , ...flags] = building([], words);
      const ran = await (other === "docker"
        ? docker(["run", "--rm", "--network", "none", ...flags])
        : podman.run(flags));
      assert.equal(ran.status, 0, ran.stderr);
      await ok(["load", "-i", directory.join(`out/${other}.tar`)]);
      const look = ["sh", "-c", "cat /d/ctx /d/two; ls /bin/watch 2>&1; true"];
      const shown = await ok(["run", "--rm", "--network", "none", `${other}:1`, ...look]);
      assert.equal(shown, "from the context\n2\nls: /bin/watch: No such file or directory\n");
    }
  });

  test("with user namespaces it has mounts, and writes an archive", async () => {
    const words = "build -o type=oci,dest=/w/out/made.tar -t inside:1 --secret id=s,src=/w/secret /w/src";
    await ok(building(["--security-opt", "seccomp=unconfined"], words));
    await ok(["load", "-i", directory.join("out/made.tar")]);
    const lines = (await checked("inside:1")).trimEnd().split("\n");
    for (const line of EXPECTED) assert.ok(lines.includes(line), `${line}\n${lines.join("\n")}`);
    assert.equal(lines.at(-1), "/bin/busybox");
  });
});
