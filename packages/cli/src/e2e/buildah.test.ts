import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Boxship, type Ran, repositoryRoot, runProgram, startBoxship, tempDir } from "@boxship/testkit";
import { boxship, onTerminal } from "./programs.ts";

const places = [resolve(repositoryRoot, ".cache/parts/root/usr/bin/buildah"), "/usr/bin/buildah"];
const program = places.find((path) => existsSync(path)) ?? "";

interface Step {
  readonly line: string;
  readonly input?: string;
  /** Why only the status is the same. */
  readonly differs?: string;
}

/** What people type; `< text` is its input, `# text` says why more than the status would differ. */
const SCRIPT = `
from scratch
from --name mine busybox
from busybox
from busybox
from --name mine busybox
from
from busybox scratch
from --pull-never nosuch # the remedy is another
from --add-host q:1.2.3.4 --name hosts busybox
run hosts cat /etc/hosts # other hosts are in it, too
containers
containers --noheading
containers --format '{{.ContainerName}} {{.ImageName}}'
containers --filter name=hosts --format '{{.ContainerName}}'
rm hosts nosuch
rm
containers -q
config --env A=1 --env B=2 --label l=1 --label m=2 --port 80 --port 53/udp --volume /v --user 1:2 mine
config --env B- --label m- --port 80- --workingdir /w mine
config --cmd 'a b "c d"' --author me --created-by hand --stop-signal TERM mine
config --entrypoint '["/e","f"]' mine
config --env nosuchvariable mine
config nosuch
config
run mine -- sh -c 'echo out; echo err >&2; echo $A$B; id -u; id -g; pwd'
run mine sh -c 'exit 3' # another isolation's words
run mine nosuchcommand # another isolation's words
run mine
run nosuch ls
run --user 0 mine cat < through the pipe
run --user 0 -e Q=q --workingdir /tmp mine sh -c 'echo $Q; pwd; hostname | wc -c'
run --user 0 --hostname h mine hostname
copy -q mine a
copy -q mine a /x/
copy -q mine d
copy -q mine d /dd
copy -q mine a d /ad
copy -q --chown 5:6 --chmod 600 mine a /own
copy -q --from busybox mine /bin/sh /sh2
copy -q mine * /glob/
copy -q mine nosuch /
copy -q mine
copy
copy nosuch a
add -q mine t.tar.gz /tt
add -q mine a /added/a
run --user 0 mine sh -c 'rm -r /dd/e; ln -s a /x/link; mkfifo /fifo; chmod 4755 /own'
mount
umount mine
umount nosuch
umount
commit -q mine first
commit -q --squash mine second
commit -q --omit-history --timestamp 1000000000 mine third
commit -q --unsetenv A mine fourth
run --user 0 mine sh -c 'echo named:x:55:66::/:/bin/sh > /etc/passwd; echo team:x:77: > /etc/group'
copy -q --chown named:team mine a /named
copy -q --chown named mine a /by-name
copy -q --chown 55 mine a /by-number
copy -q --chown 8 mine a /unknown
copy -q --chown nosuch:team mine a /nobody # worded otherwise
run --user 0 mine stat -c %u:%g /named /by-name /by-number /unknown
run --user 0 --mount type=bind,source=$PWD/d,destination=/m,ro mine cat /m/b
run --user 0 --mount type=tmpfs,destination=/m mine sh -c 'echo x > /m/x; cat /m/x'
run --user 0 --mount type=nosuch,destination=/m mine true # worded otherwise
commit nosuch
commit
inspect --format '{{.FromImage}} {{.Container}} {{.OCIv1.Config.Env}} {{.OCIv1.Config.WorkingDir}}' mine
inspect --type image --format '{{.OCIv1.Config.Cmd}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Author}}' first
inspect nosuch
tag first other:1
tag nosuch x
rmi nosuch # its list of one
rename mine yours
rename nosuch x
containers --format '{{.ContainerName}}'
rm yours
bud -t built files
bud -q files
bud --squash -t squashed files
bud -f files/failing files
bud files/nosuch # the path is named otherwise
rmi other:1 # its registry is localhost there
images -q nosuch
images --format '{{.Tag}}' busybox
rm -a
containers
nosuch # the usage is ours
`;

function parse(text: string): Step {
  const [rest = "", differs] = text.split(" # ");
  const [line = "", input] = rest.split(" < ");
  return { line, ...(input === undefined ? {} : { input }), ...(differs === undefined ? {} : { differs }) };
}

const steps = SCRIPT.trim().split("\n").map(parse);

/** Ids and sizes of columns. */
function plain(text: string): string {
  return text
    .replace(/[0-9a-f]{64}/g, "<id>")
    .replace(/\b[0-9a-f]{11,12}\b/g, "<short id>")
    .replaceAll("localhost/", "docker.io/library/")
    .replace(/--> Using cache .*\n--> .*\n/g, "")
    .replace(/^(?:Getting image|Copying|Writing manifest|Storing signatures).*\n/gm, "")
    .replace(/^time="[^"]*" level=\w+ msg="((?:[^"\\]|\\.)*)"$/gm, (_, message: string) =>
      message.replace(/\\(.)/g, "$1"),
    );
}

/** What stands on standard error in the end, without our remedy. */
function lastWords(text: string): string {
  const lines = plain(text).trimEnd().split("\n");
  return lines.filter((line) => !line.startsWith("Hint: ")).at(-1) ?? "";
}

/** Images of builds: their history is worded otherwise. */
const BUILT: ReadonlySet<string> = new Set(["built", "squashed"]);

/** Errors whose cause is worded otherwise: that they are errors is the same. */
const OWN_WORDS =
  /checking on sources|building at STEP|command must be|accept|specif|too many|no value given|\b(?:1|at least)\b/;

describe("buildah's words", { skip: program === "" ? "buildah is not here" : false }, () => {
  const directory = tempDir("words");
  let engine: Boxship;
  let theirs: readonly string[];
  const env = { BUILDAH_ISOLATION: "chroot" };

  before(async () => {
    engine = await startBoxship();
    await engine.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
    const policy = directory.join("policy.json");
    writeFileSync(policy, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
    theirs = [
      program,
      "--root",
      directory.join("storage"),
      "--runroot",
      directory.join("run"),
      "--storage-driver",
      "vfs",
    ];
    const archive = directory.join("base.tar");
    await ours(["save", "-o", archive, "busybox"], {}, []);
    const pulled = await runProgram([...theirs, "pull", "--signature-policy", policy, `docker-archive:${archive}`]);
    assert.equal(pulled.status, 0, pulled.stderr);
    await runProgram([...theirs, "tag", "localhost/busybox", "docker.io/library/busybox"]);
    await runProgram([...theirs, "rmi", "localhost/busybox"]);
    makeFiles();
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  function makeFiles(): void {
    const files = directory.join("files");
    mkdirSync(`${files}/d/e`, { recursive: true });
    writeFileSync(`${files}/a`, "a\n");
    writeFileSync(`${files}/d/b`, "b\n", { mode: 0o755 });
    writeFileSync(`${files}/d/e/c`, "c\n");
    writeFileSync(`${files}/ignore`, "d/e\n");
    execFileSync("tar", ["-C", files, "-czf", `${files}/t.tar.gz`, "d"]);
    mkdirSync(`${files}/files`);
    writeFileSync(`${files}/files/Containerfile`, 'FROM busybox\nRUN echo kept > /kept\nCOPY x /x\nCMD ["sh"]\n');
    writeFileSync(`${files}/files/x`, "x\n");
    writeFileSync(`${files}/files/failing`, "FROM busybox\nRUN exit 7\n");
    for (const name of ["a", "d/b", "d/e/c", "d/e", "d", "ignore", "t.tar.gz"])
      utimesSync(`${files}/${name}`, 1e9, 1e9);
  }

  function ours(args: readonly string[], options: { readonly input?: string } = {}, words = ["buildah"]): Promise<Ran> {
    return runProgram([...boxship, "--host", `unix://${engine.socketPath}`, ...words, ...args], {
      ...options,
      cwd: existsSync(directory.join("files")) ? directory.join("files") : "/",
    });
  }

  function other(args: readonly string[], options: { readonly input?: string } = {}): Promise<Ran> {
    return runProgram([...theirs, ...args], { ...options, env, cwd: directory.join("files") });
  }

  test("a script prints the same and ends the same, line by line", async (context) => {
    const words = (line: string): string[] =>
      execFileSync("sh", ["-c", `printf '%s\\0' ${line}`], { cwd: directory.join("files") })
        .toString()
        .split("\0")
        .slice(0, -1);
    for (const { line, differs, ...options } of steps) {
      await context.test(line, async () => {
        const args = words(line);
        const [mine, reference] = await Promise.all([ours(args, options), other(args, options)]);
        const told = `${line}\nours: ${mine.stdout}${mine.stderr}\nbuildah: ${reference.stdout}${reference.stderr}`;
        assert.equal(mine.status, reference.status, told);
        if (differs !== undefined) return;
        assert.equal(plain(mine.stdout), plain(reference.stdout), told);
        const [own, their] = [lastWords(mine.stderr), lastWords(reference.stderr)];
        if (mine.status !== 0 && OWN_WORDS.test(their)) assert.match(own, /^Error: /, told);
        else assert.equal(own, their, told);
      });
    }
  });

  test("images have the same files and say the same", async () => {
    for (const name of ["first", "second", "third", "fourth", "built", "squashed"]) {
      const [mine, reference] = [await inspected(ours, name), await inspected(other, name)];
      assert.deepEqual(mine, reference, name);
    }
  });

  interface Said {
    readonly history?: readonly Readonly<Record<string, unknown>>[];
    readonly config: Readonly<Record<string, unknown>>;
  }

  /** Files, and the document without what is made anew each time. */
  async function inspected(run: typeof other, name: string) {
    const container = (await run(["from", "-q", name])).stdout.trim();
    const path = (await run(["mount", container])).stdout.trim();
    const find = execFileSync("find", [path, "-printf", "%P %y %m %U:%G %s %l\n"]).toString().split("\n").sort();
    const tree = find
      .map((line) => line.replace(/^(.* d \d+ \S+) \d+ $/, "$1"))
      .filter(
        (line) => !/^(?:dev|proc|sys|run|etc|v|etc\/(?:hosts|hostname|resolv\.conf)|run\/\.containerenv)? /.test(line),
      );
    const times = ["x", "dd", "own", "ad/a"].filter((file) => existsSync(`${path}/${file}`) && !BUILT.has(name));
    const mtimes = times
      .filter((file) => file !== "x" && file !== "dd")
      .map((file) => `${file} ${mtimeOf(`${path}/${file}`)}`);
    const text = (await run(["inspect", "--type", "image", name])).stdout;
    const { OCIv1 } = JSON.parse(text) as { readonly OCIv1: Said };
    const { "io.buildah.version": _version, ...labels } = (OCIv1.config["Labels"] ?? {}) as Record<string, string>;
    const created = BUILT.has(name)
      ? []
      : (OCIv1.history ?? []).map(({ created_by, comment = "" }) => `${String(created_by)}|${String(comment)}`);
    await run(["rm", container]);
    return { tree, mtimes, config: { ...OCIv1.config, Labels: labels }, created: created.slice(1).map(plain) };
  }

  test("they outlive the engine, and removing them leaves nothing", async () => {
    const name = (await ours(["from", "busybox"])).stdout.trim();
    const path = (await ours(["mount", name])).stdout.trim();
    writeFileSync(`${path}/kept`, "kept\n");
    const running = ours(["run", name, "sh", "-c", "echo begun > /begun; sleep 1000"]);
    while (!existsSync(`${path}/begun`)) await new Promise((done) => setTimeout(done, 20));
    const { stdout: id } = await ours(["commit", name, "while-running"]);
    assert.match(id, /^[0-9a-f]{64}\n$/);
    await engine.crash();
    assert.notEqual((await running).status, 0);
    await engine.start();
    assert.equal(readFileSync(`${path}/kept`, "utf8"), "kept\n");
    assert.equal((await ours(["mount"])).stdout, `${name} ${path}\n`);
    assert.equal((await ours(["run", name, "cat", "/kept", "/begun"])).stdout, "kept\nbegun\n");
    assert.equal((await ours(["umount", name])).status, 0);
    assert.equal(readdirSync(path).length, 0);
    assert.equal((await ours(["rmi", "while-running"])).status, 0);
    assert.equal((await ours(["rm", name])).status, 0);
    const left = ["snapshots/containers", "build/working", "build/work"]
      .map((place) => `${engine.root}/${place}`)
      .flatMap((place) => (existsSync(place) ? readdirSync(place) : []));
    assert.deepEqual(left, []);
    const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    assert.deepEqual(
      mounts.filter((line) => line.includes(`${engine.root}/snapshots/`)),
      [],
    );
  });

  test("the image below may go while a working container is on it", async () => {
    const file = "FROM busybox\nRUN echo kept > /kept; echo below > /below\n";
    await ours(["build", "-q", "-t", "below", "-"], { input: file }, []);
    const name = (await ours(["from", "below"])).stdout.trim();
    const refused = await ours(["rmi", "below"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /image is in use by a container/);
    assert.equal((await ours(["rmi", "-f", "below"], {}, [])).status, 0);
    assert.equal((await ours(["run", name, "cat", "/kept"])).stdout, "kept\n");
    const { stdout } = await ours(["commit", "--rm", name, "above"]);
    assert.match(stdout, /^[0-9a-f]{64}\n$/);
    const kept = await ours(["run", "--rm", "--network", "none", "above", "cat", "/kept"], {}, []);
    assert.equal(kept.stdout, "kept\n");
  });

  test("by buildah's name it has buildah's words, and commands get a terminal on one", async () => {
    const own = { ...process.env, BOXSHIP_HOST: `unix://${engine.socketPath}` };
    const [program_ = "", ...flags] = boxship;
    const called = (...args: readonly string[]) =>
      spawnSync(program_, [...flags, ...args], { argv0: "buildah", encoding: "utf8", env: own });
    const made = called("from", "busybox");
    assert.equal(made.status, 0, made.stderr);
    const name = made.stdout.trim();
    assert.equal(called("nosuch").status, 125);
    const line = [...boxship, "--host", `unix://${engine.socketPath}`, "buildah", "run", name, "sh", "-c"];
    const { status, output } = await onTerminal([...line, "test -t 0 && test -t 1 && echo terminal; exit 4"]).end();
    assert.equal(status, 4, output);
    assert.match(output, /^terminal\r\n/);
    assert.equal(called("rm", name).status, 0);
  });

  test("an ignore file is honoured", async () => {
    const name = (await ours(["from", "scratch"])).stdout.trim();
    const path = (await ours(["mount", name])).stdout.trim();
    await ours(["copy", "-q", "--contextdir", ".", "--ignorefile", "ignore", name, "d", "/ignored"]);
    assert.deepEqual(readdirSync(`${path}/ignored`), ["b"]);
    await ours(["rm", name]);
  });

  test("flags that it has not are refused by name", async () => {
    const { status, stderr } = await ours(["from", "--tls-verify=false", "busybox"]);
    assert.equal(status, 125);
    assert.match(stderr, /--tls-verify.*not supported: configure the registry/s);
    const late = await ours(["from", "busybox", "--name", "late"]);
    assert.match(late.stderr, /no options \(--name\) can be specified after the image or container name/);
  });
});

function mtimeOf(path: string): string {
  return execFileSync("stat", ["-c", "%Y", path]).toString().trim();
}
