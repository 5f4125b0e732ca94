import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { test } from "node:test";
import { busyboxTree, dockerCli, type Ran, runProgram, startDockerd, tempDir } from "@boxship/testkit";
import { onSocket } from "./programs.ts";

/** Command lines on which both programs must print the same, byte for byte, and end the same. */
const lines = `
ps -a
ps -aq
ps -a --no-trunc
ps -as
ps -n 1
ps -a --filter status=exited
ps -a --format json
ps -a --format {{.Names}}|{{.State}}|{{.Labels}}|{{.Label "x"}}|{{.Networks}}|{{.CreatedAt}}
ps -a --format table {{.Names}}\\t{{.Label "x.foo-bar"}}\\t{{.Size}}
ps -a --format {{.Foo}}
ps --format {{.ID
ps --filter foo
ps extra
images
images -q
images --digests
images --no-trunc
images --format table {{.Repository}}\\t{{.ID}}
network ls
network ls --format {{.Name}} {{.IPv6}} {{.CreatedAt}}
volume ls
volume ls --format {{.Name}} {{.Labels}} {{.Label "q"}} {{.Size}}
inspect gone
inspect -f {{.State.ExitCode}} {{.Config.Image}} {{.HostConfig.NetworkMode}} gone
inspect -f {{json .HostConfig}} gone
inspect -f {{.State}} gone
inspect -f {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} gone
inspect -f {{.Nope}} gone
inspect -f {{.Id}} {{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}} gone
inspect nope
image inspect busybox
image inspect -f {{json .}} busybox
network inspect none
volume inspect zz
history busybox
history --no-trunc --human=false busybox
logs gone
logs --tail 1 gone
diff gone
top gone
port gone
wait gone
system df
version --format {{json .Server}}
info --format {{.ServerVersion}} {{.Driver}} {{.NCPU}} {{.Plugins.Volume}}
events --since 2020-01-01 --until 1s --filter container=gone
events --since 2020-01-01 --until 1s --filter container=gone --format json
run --rm --network none busybox sh -c exit 9
run --rm --network none -e A=b -w /tmp -u 1:1 -h foo busybox env
run --rm --network none busybox /no/such
run --rm --network none busybox /etc/passwd
run --nope
run --rm --network none -m 1z busybox
rm nope
rm -f nope
start nope
stop nope
exec gone true
attach gone
cp made:/etc/group -
cp made:/nope /tmp
tag nope x
rmi nope
volume rm nope
save nope:1
save -o /nowhere/x busybox
save -o /tmp busybox
load -i /nowhere
push nope/x:1
push -a busybox:1
push busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000
push UPPER
import /nowhere
import /etc/passwd x:1
import /nowhere UPPER
commit nope
commit gone UPPER
commit -c RUN gone
nonsense
`
  .trim()
  .split("\n");

/** A word in braces may hold blanks; the rest of a line after `sh -c` is one word. */
function words(line: string): readonly string[] {
  const shell = / sh -c (.*)$/.exec(line);
  const rest = shell === null ? line : line.slice(0, shell.index);
  const parts = rest.match(/(?:table )?\{\{.*\}\}(?:[^ ]*)|\S+/g) ?? [];
  return [...parts, ...(shell === null ? [] : ["sh", "-c", shell[1] ?? ""])];
}

const AGE = /Less than a second|About an? (?:minute|hour)|\d+ (?:seconds?|minutes?)/g;

/** What differs by design: our name, the line with the remedy; and by time: ages, with the columns that they widen. */
function plain({ status, stdout, stderr }: Ran): unknown {
  const text = stderr.replaceAll("docker", "boxship").replace(/^Hint: .*\n/gm, "");
  const ageless = stdout.search(AGE) >= 0 ? stdout.replaceAll(AGE, "AGE").replaceAll(/ {2,}/g, "  ") : stdout;
  return { status, stdout: ageless, stderr: text };
}

test("prints what Docker's client prints on the same engine", { concurrency: 3 }, async (t) => {
  await using directory = tempDir("cli-compare");
  await using dockerd = await startDockerd({ flags: ["--bridge=none", "--iptables=false"] });
  const docker = dockerCli(dockerd.socketPath);
  if (docker === undefined) return t.skip("no docker client here");
  const version = (await docker(["version", "--format", "{{.Client.Version}}"])).stdout;
  if (!/^(2[89]|[3-9]\d)\./.test(version)) return t.skip(`docker client ${version.trim()} is older than 28`);
  const ours = onSocket(dockerd.socketPath);
  const env = { DOCKER_CONFIG: directory.join("config"), DOCKER_HOST: `unix://${dockerd.socketPath}` };

  await mkdir(directory.join("root"));
  await busyboxTree(directory.join("root"));
  await runProgram(["tar", "-C", directory.join("root"), "-cf", directory.join("root.tar"), "."]);
  await docker(["import", "-c", 'CMD ["sh"]', "-c", "LABEL a=b", directory.join("root.tar"), "busybox:latest"]);
  await docker([
    "run",
    "--name",
    "gone",
    "--network",
    "none",
    "-l",
    "x=y",
    "-l",
    "x.foo-bar=1",
    "busybox",
    "sh",
    "-c",
    "echo out; echo 'a \"b\" é' >&2; exit 3",
  ]);
  await docker(["create", "--name", "made", "--network", "none", "-v", "/d", "-it", "busybox"]);
  await docker(["volume", "create", "--label", "q=1", "zz"]);

  const compare = async (args: readonly string[]): Promise<void> => {
    const [theirs, mine] = await Promise.all([docker(args, { env }), ours(args, { env })]);
    assert.deepEqual(plain(mine), plain(theirs));
  };
  await Promise.all(lines.map((line) => t.test(line, () => compare(words(line)))));
});
