import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Boxship,
  dockerCli,
  dockerProgram,
  OLD_DOCKER,
  REGISTRY_USER,
  type RunOptions,
  runProgram,
  startBoxship,
  startRegistry,
  type TempDir,
  tempDir,
} from "@boxship/testkit";

/** Nothing of ours, and found nowhere afterwards. */
const SECRET = `s3cr3t-${process.pid}-${Math.random().toString(36).slice(2)}`;

const buildx = await hasBuildx();

async function hasBuildx(): Promise<boolean> {
  const docker = dockerCli("/nowhere");
  return docker !== undefined && (await docker(["buildx", "version"])).status === 0;
}

describe("docker buildx builds with the engine", { skip: buildx ? false : "buildx is not here" }, () => {
  let boxship: Boxship;
  let work: TempDir;

  before(async () => {
    work = tempDir("buildx");
    boxship = await startBoxship();
    await boxship.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  });
  after(async () => {
    await boxship[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
  });

  async function run(args: readonly string[], options: RunOptions, wanted: boolean): Promise<string> {
    const docker = dockerCli(boxship.socketPath);
    assert.ok(docker);
    const { status, stdout, stderr } = await docker(args, { timeout: 60_000, ...options });
    assert.equal(status === 0, wanted, `docker ${args.join(" ")}: ${status}\n${stdout}${stderr}`);
    return `${stdout}${stderr}`;
  }
  const ok = (args: readonly string[], options: RunOptions = {}) => run(args, options, true);
  const fails = (args: readonly string[], options: RunOptions = {}) => run(args, options, false);

  /** A directory of its own with these files. */
  function context(name: string, files: Readonly<Record<string, string>>): string {
    for (const [path, text] of Object.entries(files)) {
      const file = work.join(name, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    return work.join(name);
  }

  test("what was built runs; a second build finds all of it", async () => {
    const directory = context("simple", {
      Dockerfile:
        "FROM busybox\nARG WHO=nobody\nCOPY greeting /\nRUN echo built for $WHO >> /greeting\nCMD cat /greeting\n",
      greeting: "hello\n",
      ".dockerignore": "ignored\n",
      ignored: "x",
    });
    const build = [
      "build",
      "--progress",
      "plain",
      "--build-arg",
      "WHO=you",
      "--label",
      "l=m",
      "-t",
      "simple:1",
      directory,
    ];
    assert.match(await ok(build), /#\d+ \[3\/3\] RUN echo built/);
    assert.equal(await ok(["run", "--rm", "simple:1"]), "hello\nbuilt for you\n");
    assert.match(await ok(["image", "inspect", "-f", "{{.Config.Labels.l}}", "simple:1"]), /^m$/m);
    const again = await ok(build);
    assert.match(again, /RUN echo built[^\n]*\n#\d+ CACHED/);
    const id = (await ok(["build", "-q", "--build-arg", "WHO=you", "--label", "l=m", directory])).trim();
    assert.equal((await ok(["image", "inspect", "-f", "{{.Id}}", "simple:1"])).trim(), id);
    writeFileSync(join(directory, "greeting"), "good day\n");
    await ok(build);
    assert.equal(await ok(["run", "--rm", "simple:1"]), "good day\nbuilt for you\n");
  });

  test("every kind of output", async () => {
    const directory = context("outputs", {
      Dockerfile: "FROM busybox AS base\nFROM scratch\nCOPY --from=base /bin/busybox /b\nCOPY dir /dir\n",
      "dir/file": "x",
    });
    const to = (type: string, name: string) => [
      "build",
      "-t",
      `${name}:1`,
      "-o",
      `type=${type},dest=${work.join(`out-${type}`)}`,
      directory,
    ];
    await ok(to("local", "l"));
    assert.equal(readFileSync(work.join("out-local/dir/file"), "utf8"), "x");
    assert.ok(existsSync(work.join("out-local/b")));
    await ok(to("tar", "t"));
    const listed = await runProgram(["tar", "tf", work.join("out-tar")]);
    assert.match(listed.stdout, /^dir\/file$/m);
    for (const type of ["docker", "oci"]) {
      await ok(to(type, `from-${type}`));
      assert.match(await fails(["image", "inspect", `from-${type}:1`]), /No such image|not found/i);
      await ok(["load", "-i", work.join(`out-${type}`)]);
      assert.match(await ok(["image", "inspect", "-f", "{{.Os}}", `from-${type}:1`]), /linux/);
    }
    await ok(["build", "-o", "type=cacheonly", directory]);
    const metadata = work.join("metadata.json");
    await ok(["build", "-t", "m:1", "--metadata-file", metadata, directory]);
    const read = JSON.parse(readFileSync(metadata, "utf8")) as Readonly<Record<string, string>>;
    assert.equal(read["image.name"], "m:1");
    assert.match(read["containerimage.config.digest"] ?? "", /^sha256:/);
  });

  test("a result is pushed with the client's credentials", async () => {
    await using registry = await startRegistry({ auth: "htpasswd" });
    const auth = Buffer.from(`${REGISTRY_USER.username}:${REGISTRY_USER.password}`).toString("base64");
    mkdirSync(work.join("config"));
    writeFileSync(work.join("config/config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    symlinkSync(realpathSync(join(configDirectory(), "cli-plugins")), work.join("config/cli-plugins"));
    const env = { DOCKER_CONFIG: work.join("config") };
    const directory = context("push", { Dockerfile: "FROM busybox\nRUN echo pushed > /p\n" });
    const name = `${registry.host}/pushed:1`;
    assert.match(await fails(["buildx", "build", "--push", "-t", name, directory]), /denied|unauthorized|log in/);
    await ok(["buildx", "build", "--push", "-t", name, directory], { env });
    await ok(["rmi", name]);
    await ok(["pull", name], { env });
    assert.equal(await ok(["run", "--rm", name, "cat", "/p"]), "pushed\n");
  });

  test("secrets reach the step and nothing else", async () => {
    writeFileSync(work.join("secret"), SECRET);
    const directory = context("secrets", {
      Dockerfile:
        "FROM busybox\n" +
        'RUN --mount=type=secret,id=s test "$(cat /run/secrets/s)" = "$(cat /run/secrets/s)" && wc -c < /run/secrets/s > /size\n' +
        'RUN --mount=type=secret,id=s,env=TOKEN test -n "$TOKEN"\n' +
        "RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent\n",
    });
    await ok(["build", "-t", "secrets:1", "--secret", `id=s,src=${work.join("secret")}`, directory]);
    assert.equal((await ok(["run", "--rm", "secrets:1", "cat", "/size"])).trim(), String(SECRET.length));
    assert.doesNotMatch(await ok(["history", "--no-trunc", "secrets:1"]), new RegExp(SECRET));
    const required = context("required", {
      Dockerfile: "FROM busybox\nRUN --mount=type=secret,id=none,required=true true\n",
    });
    assert.match(await fails(["build", required]), /secret/);
    // A command may tell what it was told.
    const telling = context("telling", {
      Dockerfile:
        "FROM busybox\nRUN --mount=type=secret,id=s,env=TOKEN set -x; cat /run/secrets/s; echo $TOKEN >&2; exit 3\n",
    });
    const secret = ["--secret", `id=s,src=${work.join("secret")}`];
    const told = await fails(["build", "--progress", "plain", ...secret, telling]);
    assert.match(told, /\*\*\*/);
    assert.ok(!told.includes(SECRET));
    const provenance = ["--provenance=mode=max", "-o", `type=oci,dest=${work.join("secrets.tar")}`];
    await ok(["build", ...provenance, ...secret, directory]);
    assert.ok(!readFileSync(work.join("secrets.tar")).includes(SECRET));
    // Layers, records, caches, history and logs: all that the engine has.
    for (const place of [boxship.root, boxship.runDir, dirname(boxship.log)]) {
      const found = await runProgram(["grep", "-rlaF", "--devices=skip", "--exclude-dir=netns", SECRET, place]);
      assert.equal(found.stdout, "");
      assert.equal(found.status, 1, found.stderr);
    }
  });

  test("an agent of the client is in reach of a step", async () => {
    const libraries = (await runProgram(["ldd", "/usr/bin/ssh-add"])).stdout.match(/\/\S+/g) ?? [];
    const directory = context("ssh", {
      Dockerfile: 'FROM busybox\nCOPY root /\nRUN --mount=type=ssh ssh-add -l\nRUN test -z "$SSH_AUTH_SOCK"\n',
    });
    for (const file of ["/usr/bin/ssh-add", ...libraries]) cpSync(realpathSync(file), join(directory, "root", file));
    writeFileSync(join(directory, "root/etc-passwd"), "");
    const socket = work.join("agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "inherit"] });
    await once(agent.stdout, "data");
    try {
      const key = work.join("key");
      const made = await runProgram(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a key", "-f", key]);
      assert.equal(made.status, 0, made.stderr);
      const added = await runProgram(["ssh-add", key], { env: { SSH_AUTH_SOCK: socket } });
      assert.equal(added.status, 0, added.stderr);
      const output = await ok(["build", "--progress", "plain", "--ssh", "default", directory], {
        env: { SSH_AUTH_SOCK: socket },
      });
      assert.match(output, /256 SHA256:\S+ a key \(ED25519\)/);
    } finally {
      const ended = once(agent, "exit");
      agent.kill();
      await ended;
    }
  });

  test("named contexts and two targets of a bake file that build on each other", async () => {
    const other = context("other", { file: "from elsewhere\n" });
    const directory = context("bake", {
      Dockerfile: "FROM busybox\nRUN echo base > /base\n",
      "App.Dockerfile": "FROM base\nCOPY --from=other file /\nCMD cat /base /file\n",
      "docker-bake.json": JSON.stringify({
        group: { default: { targets: ["base", "app"] } },
        target: {
          base: { tags: ["base:1"] },
          app: { dockerfile: "App.Dockerfile", contexts: { base: "target:base", other }, tags: ["app:1"] },
        },
      }),
    });
    await ok(["buildx", "bake", `--allow=fs.read=${other}`], { cwd: directory });
    assert.equal(await ok(["run", "--rm", "app:1"]), "base\nfrom elsewhere\n");
    assert.match(await ok(["images", "-q", "base:1"]), /^[0-9a-f]{12}$/m);
  });

  test("stages begin with directories and layouts of the client; extra hosts mean the engine's own", async () => {
    const files = context("files", { "etc/who": "files\n", skipped: "x", ".dockerignore": "skipped\n" });
    const layout = work.join("layout");
    const directory = context("bases", {
      Dockerfile:
        "FROM files AS plain\nENV A=b\nFROM base\nCOPY --from=plain / /plain/\nCOPY --from=base /bin/busybox /again\n" +
        "RUN grep gateway /etc/hosts > /gateway && test ! -e /plain/skipped\nCMD cat /plain/etc/who /gateway\n",
    });
    const made = context("made", { Dockerfile: "FROM busybox\nENV FROM_LAYOUT=1\n" });
    await ok(["build", "-o", `type=oci,dest=${layout}.tar`, made]);
    mkdirSync(layout);
    const unpacked = await runProgram(["tar", "xf", `${layout}.tar`, "-C", layout]);
    assert.equal(unpacked.status, 0, unpacked.stderr);
    await ok([
      ...["build", "--build-context", `files=${files}`, "--build-context", `base=oci-layout://${layout}`],
      ...["--add-host", "gateway:host-gateway", "-t", "bases:1", directory],
    ]);
    const gateway = await ok(["network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}"]);
    const output = await ok(["run", "--rm", "bases:1"]);
    assert.equal(output.split("\n")[0], "files");
    assert.match(output, new RegExp(`^${gateway.trim().replaceAll(".", "\\.")}\\s+gateway$`, "m"));
    assert.match(await ok(["image", "inspect", "-f", "{{.Config.Env}}", "bases:1"]), /FROM_LAYOUT=1/);
    await ok(["build", "--target", "plain", "--build-context", `files=${files}`, "-t", "plain:1", directory]);
    const env = await ok(["image", "inspect", "-f", "{{.Config.Env}} {{len .RootFS.Layers}}", "plain:1"]);
    assert.match(env, /A=b\] 1$/m);
  });

  test("progress in every form; failures with the lines of the file", async () => {
    const directory = context("failing", { Dockerfile: "FROM busybox\nRUN true\nRUN echo it breaks && exit 7\n" });
    const plain = await fails(["build", "--progress", "plain", directory]);
    assert.match(plain, /#\d+ \d\.\d+ it breaks/);
    assert.match(plain, /Dockerfile:3/);
    assert.match(plain, /3 \| >>> RUN echo it breaks && exit 7/);
    assert.match(
      plain,
      /ERROR: failed to build: failed to solve: process "\/bin\/sh -c echo it breaks && exit 7" did not complete successfully: exit code: 7/,
    );
    assert.match(await fails(["build", "--progress", "rawjson", directory]), /"logs":\[\{"vertex":"sha256:/);
    const program = [dockerProgram() ?? "", "build", directory].join(" ");
    const tty = await runProgram(["script", "-qec", program, "/dev/null"], {
      env: { DOCKER_HOST: `unix://${boxship.socketPath}`, DOCKER_CONFIG: configDirectory(), TERM: "xterm" },
    });
    assert.match(tty.stdout, /\[\+\] Building/);
    assert.match(tty.stdout, /exit code: 7/);
    assert.match(await fails(["build", "-q", directory]), /exit code: 7/);
    const broken = context("broken", { Dockerfile: "FROM busybox\nRUM true\n" });
    assert.match(
      await fails(["build", broken]),
      /^Dockerfile:2\n-+\n[^]*   2 \| >>> RUM true\n[^]*unknown instruction: RUM/m,
    );
  });

  test("a file is checked without being built, and what rules find is told at a build's end", async () => {
    const file =
      "FROM busybox as base\nENV token=1\ncopy . /\n# all what is built\nFROM base AS all\nARG A=1\nCMD run $A\n";
    const directory = context("checked", { Dockerfile: file, ".dockerignore": "*\n" });
    const checked = await fails(["build", "--check", directory]);
    assert.match(checked, /^Check complete, 5 warnings have been found!$/m);
    const names = [...checked.matchAll(/^WARNING: (\w+) - https:.*\n.*\n.*Dockerfile:(\d)$/gm)].map(
      ([, name, line]) => `${line} ${name}`,
    );
    assert.deepEqual(names, [
      "1 FromAsCasing",
      "2 SecretsUsedInArgOrEnv",
      "3 ConsistentInstructionCasing",
      "3 CopyIgnoredFile",
      "7 JSONArgsRecommended",
    ]);
    assert.match(checked, /^ {3}7 \| >>> CMD run \$A$/m);
    assert.match(await ok(["build", "--call=check,ignorestatus=true", directory]), /^Check complete, 5/m);
    assert.match(await ok(["build", "--call=outline", directory]), /^TARGET: +all\nDESCRIPTION: what[^]*^A +1 *$/m);
    assert.match(await ok(["build", "--call=targets", directory]), /^base +\nall \(default\) what is built$/m);
    writeFileSync(join(directory, ".dockerignore"), "x\n");
    const built = await ok(["build", directory]);
    assert.match(
      built,
      /4 warnings found[^]* - FromAsCasing: 'as' and 'FROM' keywords' casing do not match \(line 1\)$/m,
    );
    assert.match(await ok(["--debug", "build", directory]), /^Dockerfile:7\n-+\n[^]*7 \| >>> CMD run/m);
    const skip = ["--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all"];
    assert.doesNotMatch(await ok(["build", ...skip, directory]), /warning/);
    writeFileSync(join(directory, "Dockerfile"), `# check=error=true\n${file}`);
    const stopped = await fails(["build", "--no-cache", directory]);
    assert.match(stopped, /lint violation found for rules: FromAsCasing, /);
    assert.doesNotMatch(stopped, /\] copy/);
    writeFileSync(join(directory, "Dockerfile"), "FROM scratch\nMAINTAINER me\nRUM\n");
    assert.match(
      await fails(["build", "--check", directory]),
      /MaintainerDeprecated[^]*on line 3: unknown instruction: RUM/,
    );
  });

  test("caches go through a registry, a directory of the client and the image; zstd and Docker's media types", async () => {
    await using registry = await startRegistry();
    const directory = context("caches", {
      Dockerfile:
        "FROM busybox AS one\nRUN echo tool > /tool && date > /more\nFROM busybox\nCOPY --from=one /tool /\nCOPY f /\nRUN cat /proc/sys/kernel/random/uuid > /u\n",
      f: "x",
    });
    const reference = `${registry.host}/cache:1`;
    const path = work.join("cache-dir");
    const plain = ["build", "--progress", "plain"];
    const forget = () => ok(["buildx", "prune", "-af"]);
    const image = `${registry.host}/inline:1`;
    await ok([...plain, "--cache-to", `type=registry,ref=${reference},mode=max`, "-t", "caches:1", directory]);
    await ok([...plain, "--cache-to", `type=local,dest=${path},mode=max,compression=zstd`, directory]);
    const inline = ["--build-arg", "BUILDKIT_INLINE_CACHE=1", "--cache-to", "type=inline"];
    await ok([...plain, ...inline, "--push", "-t", image, directory]);
    const wanted = await ok(["run", "--rm", "caches:1", "cat", "/u"]);
    await ok(["rmi", "-f", "caches:1", image]);
    for (const source of [`type=registry,ref=${reference}`, `type=local,src=${path}`, image]) {
      await forget();
      const output = await ok([...plain, "--cache-from", source, "-t", "caches:2", directory]);
      assert.match(output, /importing cache manifest from/);
      assert.match(output, /RUN cat \/proc[^\n]*\n#\d+ CACHED/, source);
      assert.equal(await ok(["run", "--rm", "caches:2", "cat", "/u"]), wanted);
      await ok(["rmi", "-f", "caches:2"]);
    }
    // What a cache holds is ordinary content: another program reads it.
    const layout = JSON.parse(readFileSync(join(path, "index.json"), "utf8")) as {
      readonly manifests: readonly { readonly mediaType: string }[];
    };
    assert.equal(layout.manifests[0]?.mediaType, "application/vnd.oci.image.manifest.v1+json");
    await ok([...plain, "--cache-from", `type=local,src=${work.join("nowhere")}`, "-t", "caches:3", directory]);
    const missing = await ok([...plain, "--cache-from", `${registry.host}/nothing:1`, "-t", "caches:3", directory]);
    assert.match(missing, /importing cache manifest from [^\n]*\n#\d+ ERROR/);
    const types = async (options: string) => {
      const name = `${registry.host}/types:1`;
      await ok(["build", "--provenance=false", "-o", `type=image,name=${name},push=true,${options}`, directory]);
      const read = await runProgram(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`]);
      assert.equal(read.status, 0, read.stderr);
      return read.stdout;
    };
    assert.match(await types("compression=zstd,compression-level=7,force-compression=true"), /tar\+zstd/);
    await ok(["rmi", "-f", `${registry.host}/types:1`]);
    await ok(["pull", `${registry.host}/types:1`]);
    assert.match(await types("oci-mediatypes=false"), /docker\.distribution\.manifest\.v2\+json/);
  });

  test("only what a file reads of a large context travels, links followed", async () => {
    const directory = context("part", {
      Dockerfile:
        "FROM busybox AS all\nCOPY . /all/\nFROM busybox\nCOPY link/f *.txt /\nRUN --mount=source=tree,target=/t cat /t/deep/x\n",
      "real/f": "f",
      "a.txt": "a",
      "tree/deep/x": "x",
      large: "l".repeat(3_000_000),
    });
    symlinkSync("real", join(directory, "link"));
    const build = ["build", "--progress", "plain", "-t", "part:1"];
    const output = await ok([...build, directory]);
    assert.doesNotMatch(output, /transferring[^\n]* [3-9]\.\d+MB/);
    assert.match(await ok(["run", "--rm", "part:1", "ls", "/"]), /^a\.txt$[^]*^f$/m);
    await ok([...build, "--target", "all", directory]);
    assert.match(await ok(["run", "--rm", "part:1", "ls", "/all"]), /^large$/m);
    const trigger = context("trigger", { Dockerfile: "FROM busybox\nONBUILD COPY large /large\n" });
    await ok(["build", "-t", "trigger:1", trigger]);
    writeFileSync(join(directory, "Triggered"), "FROM trigger:1\nCOPY a.txt /\n");
    await ok([...build, "-f", join(directory, "Triggered"), directory]);
    assert.match(await ok(["run", "--rm", "part:1", "ls", "/"]), /^a\.txt$[^]*^large$/m);
    const copies = readdirSync(join(boxship.root, "build/buildkit/contexts"));
    const sizes = copies.map((copy) => readdirSync(join(boxship.root, "build/buildkit/contexts", copy, "tree")));
    assert.ok(sizes.some((names) => names.includes("a.txt") && !names.includes("large")));
  });

  test("several platforms and statements about them become an index that other programs read", async () => {
    await using registry = await startRegistry();
    const directory = context("platforms", {
      Dockerfile:
        "FROM --platform=$BUILDPLATFORM busybox AS b\nARG TARGETARCH\nARG WHO\nRUN echo $TARGETARCH > /arch\n" +
        'FROM scratch\nCOPY --from=b /arch /bin/busybox /\nCOPY node_modules /node_modules\nCMD ["/busybox", "cat", "/arch"]\n',
      "Run.Dockerfile": "FROM scratch\nCOPY Dockerfile /\nRUN true\n",
    });
    mkdirSync(join(directory, "node_modules/left-pad"), { recursive: true });
    writeFileSync(join(directory, "node_modules/left-pad/package.json"), '{"name":"left-pad","version":"1.3.0"}');
    const name = `${registry.host}/multi:1`;
    const platforms = ["--platform", "linux/amd64,linux/arm64"];
    const build = ["build", "--build-arg", "WHO=me", directory];
    const read = async (args: readonly string[], image = name) => {
      const { status, stdout, stderr } = await runProgram([
        "skopeo",
        ...args,
        "--tls-verify=false",
        `docker://${image}`,
      ]);
      assert.equal(status, 0, stderr);
      return JSON.parse(stdout) as Readonly<Record<string, unknown>>;
    };
    const architectures = async (image = name) => {
      const { manifests } = (await read(["inspect", "--raw"], image)) as {
        readonly manifests: readonly { readonly platform: { readonly architecture: string } }[];
      };
      return manifests.map(({ platform }) => platform.architecture);
    };
    await ok([...build, ...platforms, "--provenance=mode=max", "--push", "-t", name]);
    assert.deepEqual(await architectures(), ["amd64", "arm64", "unknown", "unknown"]);
    const config = await read(["--override-arch", "arm64", "inspect", "--config"]);
    assert.equal(config["architecture"], "arm64");
    const inspected = await ok(["buildx", "imagetools", "inspect", name]);
    assert.match(inspected, /Platform:\s+linux\/arm64/);
    assert.match(inspected, /vnd\.docker\.reference\.type:\s+attestation-manifest/);
    const provenance = await ok(["buildx", "imagetools", "inspect", name, "--format", "{{json .Provenance}}"]);
    assert.match(provenance, /"build-arg:WHO":\s*"me"/);
    assert.match(provenance, /"buildType":\s*"https:\/\/mobyproject.org\/buildkit@v1"/);
    assert.match(provenance, /pkg:docker\/busybox@latest\?platform=linux%2Famd64/);
    assert.equal(await ok(["run", "--rm", name]), "amd64\n");
    await ok(["rmi", "-f", name]);
    assert.match(await ok(["run", "--rm", name]), /^amd64\n/);
    // A pull of what another platform runs.
    await ok(["pull", "-q", "--platform", "linux/arm64", name]);
    assert.equal((await ok(["image", "inspect", "-f", "{{.Architecture}}", name])).trim(), "arm64");
    // Nothing is asked for: a statement in what leaves the machine, none in what stays.
    await ok([...build, "--push", "-t", name]);
    assert.deepEqual(await architectures(), ["amd64", "unknown"]);
    await ok([...build, "--provenance=false", "--push", "-t", name]);
    assert.ok("layers" in (await read(["inspect", "--raw"])));
    await ok([...build, "--provenance=version=v1", "--sbom=true", "--push", "-t", name]);
    const bill = await ok(["buildx", "imagetools", "inspect", name, "--format", "{{json .SBOM}}"]);
    assert.equal(
      (JSON.parse(bill) as { readonly SPDX: { readonly spdxVersion: string } }).SPDX.spdxVersion,
      "SPDX-2.3",
    );
    assert.match(bill, /pkg:npm\/left-pad@1\.3\.0/);
    assert.match(
      await ok(["buildx", "imagetools", "inspect", name, "--format", "{{json .Provenance}}"]),
      /"buildDefinition"/,
    );
    // What is in the engine is pushed whole, or one platform of it.
    const stored = `${registry.host}/multi:stored`;
    await ok([...build, ...platforms, "--provenance=mode=max", "-t", stored]);
    await ok(["push", "-q", stored]);
    assert.deepEqual(await architectures(stored), ["amd64", "arm64", "unknown", "unknown"]);
    assert.match(
      await ok(["buildx", "imagetools", "inspect", stored, "--format", "{{json .Provenance}}"]),
      /build-arg:WHO/,
    );
    await ok(["push", "-q", "--platform", "linux/arm64", stored]);
    assert.equal((await read(["inspect", "--config"], stored))["architecture"], "arm64");
    assert.match(await fails(["push", "--platform", "linux/s390x", stored]), /does not match the specified platform/);
    const archive = work.join("multi.tar");
    await ok([...build, ...platforms, "-o", `type=oci,dest=${archive}`]);
    const copied = await runProgram([
      ...["skopeo", "copy", "-q", "--override-arch", "arm64", "--insecure-policy"],
      ...[`oci-archive:${archive}`, `dir:${work.join("arm64")}`],
    ]);
    assert.equal(copied.status, 0, copied.stderr);
    await ok([...build, ...platforms, "-o", work.join("by-platform")]);
    assert.equal(readFileSync(work.join("by-platform/linux_arm64/arch"), "utf8"), "arm64\n");
    for (const [args, words] of [
      [["-o", `type=docker,dest=${archive}`], /cannot hold several platforms|exporting manifest lists/],
      [["-o", `type=tar,dest=${archive}`], /type tar cannot hold several platforms/],
    ] as const)
      assert.match(await fails([...build, ...platforms, ...args]), words);
    if (!existsSync("/proc/sys/fs/binfmt_misc/qemu-aarch64")) {
      const other = ["build", "--platform", "linux/arm64", "-f", join(directory, "Run.Dockerfile"), directory];
      assert.match(await fails(other), /RUN for linux\/arm64\/v8 does not work on linux\/amd64/);
    }
  });

  test("Ctrl-C in the middle leaves nothing", async () => {
    const directory = context("long", { Dockerfile: "FROM busybox\nRUN echo begun && sleep 61\n" });
    const client = spawn(dockerProgram() ?? "", ["build", "--progress", "plain", directory], {
      env: { ...process.env, DOCKER_HOST: `unix://${boxship.socketPath}`, DOCKER_CONFIG: configDirectory() },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let output = "";
    for await (const piece of client.stderr) {
      output += String(piece);
      if (/ begun\n/.test(output)) break;
    }
    assert.match(output, / begun\n/);
    const ended = once(client, "exit");
    client.kill("SIGINT");
    await ended;
    for (let tries = 0; ; tries++) {
      const processes = (await runProgram(["pgrep", "-fc", "sleep 61"])).stdout.trim();
      const mounts = readFileSync("/proc/self/mounts", "utf8")
        .split("\n")
        .filter((line) => line.includes(`${boxship.root}/build`));
      if (processes === "0" && mounts.length === 0) break;
      assert.ok(tries < 100, `${processes} processes, mounts:\n${mounts.join("\n")}`);
      await delay(100);
    }
    assert.match(await ok(["ps", "-aq"]), /^$/);
  });

  test("usage, history and the worker are shown; pruning frees what nobody needs", async () => {
    const directory = context("usage", {
      Dockerfile: "FROM busybox\nRUN --mount=type=cache,target=/c head -c 100000 /dev/zero > /c/f\n",
    });
    await ok(["build", "-t", "usage:1", directory]);
    const usage = await ok(["buildx", "du", "--verbose"]);
    assert.match(usage, /Type:\s+exec\.cachemount/);
    assert.match(usage, /Type:\s+source\.local/);
    assert.match(await ok(["buildx", "history", "ls"]), /usage\s+Completed/);
    assert.match(await ok(["buildx", "inspect"]), /BuildKit version:/);
    assert.match(await ok(["system", "df"]), /Build Cache\s+[1-9]/);
    await ok(["buildx", "prune", "-f", "--filter", "type=exec.cachemount"]);
    assert.doesNotMatch(await ok(["buildx", "du", "--verbose"]), /exec\.cachemount/);
    await ok(["buildx", "prune", "-af"]);
    assert.match(await ok(["buildx", "du"]), /Total:\s+0B/);
    await ok(["run", "--rm", "usage:1", "true"]);
    assert.deepEqual(readdirSync(join(boxship.root, "build/buildkit/contexts")), []);
  });

  test("Docker 20.10 builds with its own session", {
    skip: existsSync(OLD_DOCKER) ? false : "not here",
  }, async () => {
    const directory = context("old", {
      Dockerfile: "FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s > /dev/null\nCOPY f /\n",
      f: "x",
    });
    const old = async (args: readonly string[], input?: Buffer) => {
      const env = { DOCKER_HOST: `unix://${boxship.socketPath}`, DOCKER_BUILDKIT: "1" };
      const { status, stdout, stderr } = await runProgram([OLD_DOCKER, "build", ...args], {
        env,
        timeout: 60_000,
        ...(input === undefined ? {} : { input }),
      });
      assert.equal(status, 0, stderr);
      return `${stdout}${stderr}`;
    };
    writeFileSync(work.join("s"), "x");
    const secret = ["--secret", `id=s,src=${work.join("s")}`];
    assert.match(await old(["--progress", "plain", ...secret, "-t", "old:1", directory]), /COPY f/);
    assert.match(await old(["-q", ...secret, directory]), /^sha256:[0-9a-f]{64}\n$/);
    await old([...secret, "-o", work.join("old-out"), directory]);
    assert.equal(readFileSync(work.join("old-out/f"), "utf8"), "x");
    const tar = await runProgram(["tar", "cf", work.join("old.tar"), "-C", directory, "."]);
    assert.equal(tar.status, 0);
    await old([...secret, "-"], readFileSync(work.join("old.tar")));
  });
});

/** The client's configuration with its plugins. */
function configDirectory(): string {
  return join(dirname(dockerProgram() ?? ""), "../../../home/.docker");
}
