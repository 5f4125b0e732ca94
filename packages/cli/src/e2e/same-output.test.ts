import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { test } from "node:test";
import { dockerProgram, OLD_DOCKER, type Ran, runProgram, startBoxship, tempDir } from "@boxship/testkit";
import { boxship } from "./programs.ts";

interface Step {
  readonly line: string;
  readonly input?: string;
}

const LOOP =
  'sh -c \'trap "echo bye; exit 0" TERM; trap "echo usr1" USR1; sleep 1000 & echo up; while :; do wait; done\'';

/** What people type, one after another, as each program runs it; `< text` at the end is its input. */
const SCRIPT = `
run --name first busybox echo hi
run --rm busybox sh -c 'echo out; echo err >&2; exit 3'
run --rm -i busybox cat < through the pipe
run --rm --entrypoint /bin/echo busybox -n entry
run --rm --entrypoint '' busybox echo plain
run --rm busybox /nonexistent
run --rm busybox /etc
run --rm busybox sh -c 'kill -9 $$'
run --rm busybox sh -c 'kill -TERM $$'
run --rm --restart always busybox true
run --name first busybox true
run --memory 1k busybox true
run --nonsense busybox true
run -d --name web --expose 80 -P -l tier=front -l x=y busybox ${LOOP}
ps --format '{{.Names}} {{.Image}} {{.Command}} {{.State}}'
ps --no-trunc --format '{{.Command}}'
ps -a --filter name=first --format '{{.Names}} {{.Status}}'
ps -a --filter label=tier=front --filter status=running --format '{{.Labels}}'
ps -q --filter name=web
ps -a
port web
port web 80/tcp
port web 81
inspect -f '{{.State.Status}} {{.State.Running}} {{.RestartCount}} {{.HostConfig.RestartPolicy.Name}}' web
inspect -f '{{json .Config.Labels}}' web
inspect --type image web
inspect web
top web
top web -o pid,comm
logs web
logs --tail 1 --timestamps first
logs --since 1h --until 0s first
logs nothere
stats --no-stream --format '{{.Name}} {{.PIDs}} {{.Container}}' web
stats --no-stream
exec web echo hi
exec -i web cat < in
exec -e A=b -w /tmp -u 1:1 web sh -c 'echo $A; pwd; id -u'
exec web sh -c 'exit 7'
exec web /nonexistent
exec -u nosuch web true
exec -w /nosuch web true
exec nothere true
exec first true
pause web
ps --filter name=web --format '{{.Names}} {{.State}}'
pause web
exec web true
unpause web
unpause web
kill --signal=USR1 web
exec web sleep 0.3
logs web
rename nothere other
rename web x
rename web server
update --memory 64m --memory-swap 64m server
inspect -f '{{.HostConfig.Memory}}' server
update --cpus 1e9 server
update --cpus -1 server
exec server sh -c 'echo made >/made; rm /etc/motd; echo x >>/etc/hostname'
diff server
cp server:/made -
cp server:/nothere .
cp nothere:/x .
cp server:/etc/passwd plain
cp server:/etc/passwd plain/
cp server:/etc/passwd nodir/x
cp server:/etc nodir/
cp plain/ server:/z
cp plain server:/etc/passwd/
cp plain server:
cp plain server:/no/such/place
cp
stop -t 5 server
logs --tail 1 server
ps -a --filter name=server --format '{{.Names}} {{.Status}}'
start server
exec server cat /made
restart -t 5 server
kill server
ps -a --filter name=server --format '{{.Names}} {{.Status}}'
wait server
kill server
stop server
start nothere server
rm server
rm -f server
rm server
start -a first
start -ai first
attach first
create --name made --hostname box --user 3:4 --read-only --tmpfs /t busybox sh -c 'hostname; id -u; id -g; touch /x; touch /t/x && echo tmpfs'
start -a made
inspect -f '{{.State.ExitCode}}' made
run -d --name retry --restart on-failure:2 busybox sh -c 'exit 5'
wait retry
run -d --name sick --health-cmd 'exit 1' --health-interval 100ms --health-retries 1 busybox sleep 60
exec sick sleep 0.8
inspect -f '{{.State.Health.Status}}' sick
ps --filter health=unhealthy --format '{{.Names}} {{.Status}}'
rm -f sick retry
volume create data
volume create data
volume ls
volume inspect -f '{{.Name}} {{.Driver}} {{.Scope}}' data
volume inspect nothere
run --rm -v data:/d busybox sh -c 'echo kept >/d/f'
run --rm -v data:/d:ro busybox sh -c 'cat /d/f; touch /d/g'
run --rm --mount type=volume,src=data,dst=/m busybox cat /m/f
run --rm --mount type=bind,src=/nonexistent,dst=/m busybox true
run --rm --mount type=nonsense,dst=/m busybox true
run --rm -v $DIR:/app:Z busybox ls /app
run --rm -v $DIR:/app:z,ro busybox touch /app/x
run --rm -v data:relative busybox true
run -d --name holds -v data:/d busybox sleep 60
volume rm data
rm -f holds
volume rm data
volume rm data
network create net
network create net
network ls --filter name=net --format '{{.Name}} {{.Driver}} {{.Scope}}'
network inspect -f '{{.Name}} {{.Driver}} {{.Internal}}' net
run -d --name srv --network net --network-alias api busybox ${LOOP}
run --rm --network net busybox sh -c 'ping -c1 -W1 srv >/dev/null && ping -c1 -W1 api >/dev/null && echo resolved'
run --rm --network container:srv busybox hostname
run --rm --network none busybox ls /sys/class/net
run --rm --network host --hostname x busybox hostname
run --rm --network nothere busybox true
network rm net
network disconnect net srv
network connect net srv
network connect --alias again net srv
network inspect -f '{{len .Containers}}' net
rm -f srv
network rm net
network rm net
run --rm --cpus 0.5 --cpuset-cpus 0 --pids-limit 20 --ulimit nofile=100:200 busybox sh -c 'ulimit -n; ulimit -Hn'
run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
run --rm --cap-drop ALL --cap-add CHOWN busybox grep CapEff /proc/self/status
run --rm --cap-add NONSENSE busybox true
run --rm --privileged busybox grep CapEff /proc/self/status
run --rm --security-opt seccomp=/nonexistent busybox true
run --rm --sysctl net.ipv4.ip_forward=0 busybox cat /proc/sys/net/ipv4/ip_forward
run --rm --init busybox sh -c 'cat /proc/1/comm'
run --rm --add-host h:1.2.3.4 --dns 9.9.9.9 --dns-search example busybox sh -c 'grep -w h /etc/hosts; grep -v ^# /etc/resolv.conf'
run --rm -h a.b busybox hostname
run --rm -w /made/here busybox pwd
run --rm -e A -e B=c busybox sh -c 'echo $A$B'
run --rm --env-file /nonexistent busybox true
run --name greedy --memory 6m --memory-swap 6m busybox tail /dev/zero
inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' greedy
rm greedy
run --rm --tmpfs /t:size=64k,mode=700 busybox sh -c 'stat -c %a /t; head -c 1m /dev/zero >/t/x 2>/dev/null || echo full'
run --rm --shm-size 1m busybox df -k /dev/shm
run --rm --pid host busybox sh -c 'test $$ -gt 1 && echo theirs'
run --rm --uts host --hostname x busybox true
run --rm --network container:first busybox true
run --rm --network none --network-alias x busybox true
run --rm --label-file /nonexistent busybox true
run --rm -u nobody:nogroup busybox id
run --rm -u nosuch busybox true
run -d --name port -p 127.0.0.1::80/udp busybox sleep 60
port port
cp $DIR port:/copied
exec port ls -d /copied
logs -f first
rm -f port
events --since 0 --until 1 --filter type=nonsense
run -it --rm busybox true
run -t --rm busybox tty
network create -d nonsense net
network create -d macvlan -o parent=nothere0 net
network create --subnet 10.99.0.0/33 net
pull --platform nonsense 127.0.0.1:1/nothere
images --filter nonsense=1
logout nothere.example
system df -v
images -a --format '{{.Repository}}'
inspect --format '{{.NoSuchField}}' first
run --cidfile $DIR/cid --rm busybox true
run --cidfile $DIR/cid --rm busybox true
commit -m message -a author -c 'CMD ["echo", "committed"]' first made:1
run --rm made:1
commit nothere x
history --format '{{.CreatedBy}} {{.Comment}}' made:1
image inspect -f '{{json .Config.Cmd}} {{.Author}}' made:1
images --format '{{.Repository}}:{{.Tag}}'
images
tag made:1 other/name:2
tag nothere x
rmi made:1
rmi other/name:2
rmi nothere
image prune -f
save nothere
save -o $DIR/image.tar busybox
load -i $DIR/image.tar
load -q -i $DIR/image.tar
export -o $DIR/fs.tar first
export nothere
import $DIR/fs.tar imported:1
rmi imported:1
pull 127.0.0.1:1/nothere
events --since 0 --until 1 --format '{{.Type}} {{.Action}}'
system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'
info --format '{{.Driver}} {{.NCPU}} {{.ContainersRunning}}'
version --format '{{.Server.Os}}/{{.Server.Arch}} {{.Server.APIVersion}}'
container ls -aq --filter name=made
container inspect nothere
container prune -f
network prune -f
volume prune -f
system prune -f
container nonsense
nonsense
--nonsense
`;

const SPLIT = /'([^']*)'|([^\s']+)/g;

function steps(): readonly Step[] {
  return SCRIPT.trim()
    .split("\n")
    .map((text) => {
      const [, line = text, input] = /^(.*) < (.*)$/.exec(text) ?? [];
      return input === undefined ? { line } : { line, input };
    });
}

function words(line: string, directory: string): readonly string[] {
  return [...line.matchAll(SPLIT)].map(([, quoted, plain = ""]) => (quoted ?? plain).replaceAll("$DIR", directory));
}

const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{64}\b/g, "ID64"],
  [/\b[0-9a-f]{12}\b/g, "ID12"],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, "TIME"],
  [/(Less than a|About an?|\d+) (second|minute|hour)s?( ago)?/g, "AGE"],
  [/\b\d\d:\d\d(:\d\d)?\b/g, "CLOCK"],
  [/(0\.0\.0\.0|127\.0\.0\.1|\[::\]|:::?):?\d{4,5}\b/g, "$1:PORT"],
  [/[a-z]+_[a-z]+\b(?= *$)/gm, "NAME"],
  [/\b\d+(\.\d+)?[kKMG]?i?B\b/g, "SIZE"],
  [/\d+\.\d\d%/g, "PERCENT"],
  [/"(Pid|CreatedAt|SizeRw)": \d+/g, '"$1": N'],
  [/\/tmp\/[\w/-]+/g, "DIR"],
  [/(MacAddress|IPAddress|Gateway|SandboxKey|SandboxID)": "[^"]*"/g, '$1": "ADDRESS"'],
  [/"HostPort": "\d+"/g, '"HostPort": "PORT"'],
  [/ {2,}/g, "  "],
];

/** An archive has times in it. */
const isBinary = (text: string): boolean => text.includes("\0");

/** Without what differs from one run to the next, and without our own name and line of advice. */
function masked(text: string): string {
  if (isBinary(text)) return "an archive";
  // Docker 28.2 shows a status that was meant for the shell; later ones do not. What it logs of a copy that is refused
  // depends on which end was quicker.
  let result = text
    .replaceAll("docker", "boxship")
    .replace(/^Hint: .*\n|^exit status 1\n|^time=.*closed pipe"\n/gm, "");
  for (const [pattern, mask] of MASKS) result = result.replace(pattern, mask);
  return result;
}

/** `top` counts processes of the whole host. */
const withoutNumbers = (line: string, text: string): string =>
  line.startsWith("top") ? text.replace(/\b\d+\b/g, "N") : text;

interface Said {
  readonly line: string;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

test("docker and boxship print the same, command by command", { timeout: 240_000 }, async (t) => {
  const current = dockerProgram();
  if (current === undefined) return t.skip("no docker client here");
  const { stdout: version } = await runProgram([current, "--version"]);
  if (!/version (2[89]|[3-9]\d)\./.test(version)) return t.skip(`docker is older than 28: ${version.trim()}`);
  await using directory = tempDir("same");
  await mkdir(directory.join("config"));
  /** On an engine of its own: all use the same names. */
  const perform = async (program: readonly string[]): Promise<readonly Said[]> => {
    await using engine = await startBoxship();
    const host = `unix://${engine.socketPath}`;
    const config = { DOCKER_CONFIG: directory.join("config"), NODE_COMPILE_CACHE: directory.join("compiled") };
    const env = { DOCKER_HOST: host, BOXSHIP_HOST: host, ...config };
    assert.equal((await runProgram([...boxship, "image", "bootstrap", "busybox"], { env })).status, 0);
    const own = directory.join(`own${Math.random().toString(36).slice(2, 8)}`);
    await mkdir(own);
    const said: Said[] = [];
    for (const { line, input } of steps()) {
      const ran: Ran = await runProgram([...program, ...words(line, own)], {
        cwd: own,
        env,
        timeout: 30_000,
        ...(input === undefined ? {} : { input }),
      });
      const clean = (text: string) => withoutNumbers(line, masked(text));
      said.push({ line, status: ran.status, stdout: clean(ran.stdout), stderr: clean(ran.stderr) });
    }
    return said;
  };
  const old = OLD_DOCKER;
  const oldVersion = existsSync(old) ? (await runProgram([old, "--version"])).stdout : "";
  const hasOld = oldVersion.includes("version 20.10");
  const [theirs, ours, older] = await Promise.all([perform([current]), perform(boxship), hasOld ? perform([old]) : []]);
  for (const [index, expected] of theirs.entries()) {
    await t.test(expected.line, () => assert.deepEqual(ours[index], expected));
  }
  if (!hasOld) return t.diagnostic(`no docker 20.10 here: ${oldVersion}`);
  // It writes addresses of IPv6 without brackets and labels in any order, and gets what API 1.41 had.
  const ownWay = /^(ps -a|port web|port web 80\/tcp|inspect web|ps .*\.Labels.*)$/;
  for (const [index, expected] of theirs.entries()) {
    const { line, status, stdout } = older[index] ?? expected;
    if (ownWay.test(line)) continue;
    await t.test(`20.10: ${line}`, () => {
      assert.deepEqual({ line, status, stdout }, { line, status: expected.status, stdout: expected.stdout });
    });
  }
});
