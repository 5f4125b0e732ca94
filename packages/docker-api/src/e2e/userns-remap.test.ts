import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import {
  type Boxship,
  type Dockerd,
  daemonProgram,
  runProgram,
  startBoxship,
  startDockerd,
  type TempDir,
  tempDir,
} from "@boxship/testkit";
import { type DockerClient, dockerClients, IMAGE, importBusybox } from "../testing/engine-under-test.ts";

const FIRST = 250_000;
/** A user of every Debian, and a group that is named like it. */
const USER = "daemon";

/** Shell lines with `docker` in them; both engines must print the same, and end the same way. */
const SAME: readonly (readonly [name: string, script: string])[] = [
  [
    "the container's ids",
    `docker run --rm IMAGE sh -c 'cat /proc/self/uid_map; stat -c "%n %u:%g" / /bin /etc/resolv.conf /etc/hosts /etc/hostname /dev/shm /dev/pts /sys /dev/null; touch /x; stat -c %u:%g /x; id -u; echo out > /dev/stdout'
     docker run --rm -u 1000:1000 IMAGE id
     docker run --rm -t --tmpfs /t -v /etc:/h:ro IMAGE stat -c %u:%g /t /h /dev/console`,
  ],
  [
    "what is not to be had",
    `docker run --rm --privileged IMAGE true; echo $?
     docker run --rm --network host IMAGE true; echo $?
     docker run --rm --pid host IMAGE true; echo $?
     docker run --rm --userns bad IMAGE true; echo $?
     docker run --rm IMAGE sh -c 'mknod /dev/x c 1 3 2>&1 || echo no'
     docker run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined IMAGE sh -c 'mkdir /m; mount -t tmpfs t /m && stat -c %u /m'`,
  ],
  [
    "the machine's namespace, when it is asked for",
    `docker run --rm --userns host IMAGE sh -c 'cat /proc/self/uid_map; touch /x; stat -c %u:%g /x'
     docker run --rm --userns host --pid host --network host IMAGE cat /proc/self/uid_map`,
  ],
  [
    "volumes, filled from the image and shared",
    `docker run --rm -v one:/data IMAGE sh -c 'echo a > /data/f; chown 1000:1001 /data/f; stat -c %u:%g /data /data/f'
     docker run --rm -v one:/data -u 1000 IMAGE sh -c 'echo b >> /data/f; cat /data/f; stat -c %u:%g /data/f'
     docker run --rm -v filled:/etc IMAGE sh -c 'stat -c %u:%g /etc /etc/passwd; touch /etc/own'; docker volume rm one filled`,
  ],
  [
    "copies out and in, running and stopped",
    `docker run -d --name cc IMAGE sh -c 'mkdir /d; echo x > /d/x; chown -R 1000:1001 /d; exec sleep 1000' > /dev/null
     for i in $(seq 100); do docker exec cc test -e /d/x && break; done
     echo in > $FILES/in; chown 7:8 $FILES/in; docker cp -q $FILES/in cc:/d/in; docker exec cc stat -c %u:%g /d/in
     docker cp -q -a $FILES/in cc:/d/in; docker exec cc stat -c %u:%g /d/in
     docker exec cc sh -c 'cat /proc/self/uid_map; id -u; touch /e; stat -c %u /e'
     docker exec -u 1000 cc id -u
     docker diff cc | sort
     docker export cc | tar -tv --numeric-owner d | awk '{print $2, $6}'
     docker stop -t 0 cc > /dev/null
     docker cp -q -a $FILES/in cc:/d/late; docker export cc | tar -tv --numeric-owner d | awk '{print $2, $6}'
     docker commit cc committed > /dev/null; docker run --rm committed stat -c '%n %u:%g' /d /d/x /d/in /d/late /e
     docker start cc > /dev/null; docker exec cc stat -c %u:%g /d/late; docker rm -f cc; docker rmi -f committed > /dev/null`,
  ],
  [
    "networks and namespaces of other containers",
    `docker run -d --name other --ipc shareable IMAGE sleep 1000 > /dev/null
     docker run --rm --network container:other --ipc container:other --pid container:other --cap-add NET_ADMIN IMAGE sh -c 'stat -c %u /dev/shm /sys; ip link set lo up; echo shared > /dev/shm/f; ls /sys/class/net; ps | grep -c "[s]leep 1000"'
     docker exec other cat /dev/shm/f
     docker run --rm --cap-add NET_ADMIN IMAGE sh -c 'ip addr add 10.9.9.9/32 dev lo && ip addr show lo | grep -c 10.9.9.9'
     docker run --rm IMAGE sh -c 'ping -c 1 -W 5 127.0.0.1 | tail -n 2 | head -n 1'
     docker rm -f other`,
  ],
  [
    "links of the image that lead nowhere",
    `docker run --name linker IMAGE sh -c 'mkdir /opt; ln -s /srv/a /a; ln -s ../../../srv/b /b; ln -s /c2 /c; ln -s opt/../srv/c /c2; ln -s /srv/f /f'
     docker commit linker links > /dev/null; docker rm linker; echo of the host > $FILES/f
     docker run --rm -v links-a:/a/deep --tmpfs /b -v $FILES/f:/f:ro -w /c/work links sh -c 'pwd -P; cat /srv/f; mount | cut -d " " -f 3 | grep ^/srv | sort; stat -c "%n %u:%g" /srv /srv/a /srv/a/deep /srv/c /srv/c/work; touch /srv/a/deep/x /srv/c/work/x /srv/x && echo written'
     docker volume rm links-a; docker rmi -f links > /dev/null`,
  ],
  [
    "builds",
    `echo in > $FILES/in; printf '*\n!in\n' > $FILES/.dockerignore; printf 'FROM IMAGE\\nRUN cat /proc/self/uid_map; id -u; touch /made; mkdir -p /w/x\\nWORKDIR /w/y\\nRUN stat -c %%u:%%g . /made && touch z\\nCOPY --chown=5:6 in /in\\nUSER 1000\\nRUN id -u\\n' > $FILES/Dockerfile
     docker build --no-cache -q -t built $FILES > /dev/null && docker run --rm built stat -c '%n %u:%g' /made /w/x /w/y /w/y/z /in; docker rmi -f built > /dev/null`,
  ],
  [
    "builds by BuildKit's door",
    `mkdir -p $FILES/kit; cd $FILES/kit; echo in > in; printf 'FROM IMAGE\\nRUN id -u; touch /made; mkdir -p /w/x; awk "{print \\$2}" /proc/self/uid_map > /map; chown 1000:1001 /w/x\\nWORKDIR /w/y\\nRUN touch z\\nCOPY in /plain\\nCOPY --chown=5:6 in /in\\nUSER 1000\\nRUN id -u > /tmp/id\\n' > Dockerfile
     DOCKER_BUILDKIT=1 docker build --no-cache -q -t kit . > /dev/null && docker run --rm kit stat -c '%n %u:%g' /made /w/x /w/y /w/y/z /plain /in /tmp/id
     docker run --rm kit cat /map; docker rmi -f kit > /dev/null`,
  ],
];

describe("a user namespace for containers", { timeout: 300_000 }, () => {
  let files: TempDir;
  let holder: ChildProcess | undefined;
  let boxship: Boxship;
  let dockerd: Dockerd;
  let ours: DockerClient;
  let theirs: DockerClient;

  before(async () => {
    files = tempDir("remap");
    chmodSync(files.path, 0o711);
    for (const name of ["ours", "theirs"]) mkdirSync(files.join(name));
    for (const file of ["subuid", "subgid"]) writeFileSync(files.join(file), `${USER}:${FIRST}:65536\n`);
    const prepare = ["subuid", "subgid"]
      .map((name) => `touch /etc/${name} && mount --bind ${files.join(name)} /etc/${name}`)
      .join(" && ");
    // A mount namespace that is still there for the second daemon.
    const script = `${prepare} && echo ready && exec sleep 1000`;
    holder = spawn("unshare", ["--mount", "--propagation", "slave", "sh", "-c", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(holder.stdout as Readable, "data");
    const isolated = ["nsenter", `--mount=/proc/${holder.pid}/ns/mnt`, "--"];
    const flags = ["--userns-remap", USER];
    [boxship, dockerd] = await Promise.all([
      startBoxship({ program: [...isolated, ...daemonProgram()], root: files.join("root"), flags }),
      startDockerd({ prepare, passable: true, flags }),
    ]);
    await Promise.all([boxship, dockerd].map(({ socketPath }) => importBusybox(socketPath)));
    ours = (await dockerClients(boxship.socketPath))[0] as DockerClient;
    theirs = (await dockerClients(dockerd.socketPath))[0] as DockerClient;
  });
  after(async () => {
    await Promise.all([boxship?.[Symbol.asyncDispose](), dockerd?.[Symbol.asyncDispose]()]);
    holder?.kill("SIGKILL");
    await files[Symbol.asyncDispose]();
  });

  const run = async (client: DockerClient, script: string): Promise<string> => {
    const lines = `docker() { ${client.program} "$@"; }; ${script.replaceAll("IMAGE", IMAGE)}`;
    const env = {
      ...client.env,
      FILES: files.join(client === ours ? "ours" : "theirs"),
      DOCKER_BUILDKIT: "0",
      PATH: process.env["PATH"],
    };
    const { stdout, stderr } = await runProgram(["sh", "-c", `exec 2>&1; ${lines}`], { env, timeout: 120_000 });
    return (stdout + stderr)
      .replace(/^(?:See|Run) 'docker .*\n/gm, "")
      .replaceAll(/^\n/gm, "")
      .replace(/^Sending build.*\r|^ ---> .*\n|^Remov(?:ed|ing) intermediate .*\n|^Successfully built .*\n/gm, "")
      .replace(/^WARNING: .*\n|^DEPRECATED: .*\n(?: .*\n)*/gm, "");
  };

  for (const [name, script] of SAME) {
    test(name, async () => {
      const [own, reference] = await Promise.all([run(ours, script), run(theirs, script)]);
      assert.equal(own, reference);
      assert.match(own, /\d/);
    });
  }

  test("info says so, and nothing of the machine is given away", async () => {
    assert.match(await ours.ok(["info", "-f", "{{.SecurityOptions}}"]), /name=userns/);
    const owner = statSync("/dev/null").uid;
    await ours.ok(["run", "--rm", IMAGE, "true"]);
    assert.equal(statSync("/dev/null").uid, owner);
    await ours.ok([
      "run",
      "-d",
      "--name",
      "given",
      "--userns",
      "host",
      "--runtime",
      "crun",
      "-u",
      "1000",
      IMAGE,
      "sleep",
      "99",
    ]);
    for (const flags of [[], ["-d"], ["-i"], ["-t"]]) await ours.ok(["exec", ...flags, "given", "true"]);
    assert.equal(statSync("/dev/null").uid, owner);
    await ours.ok(["rm", "-f", "given"]);
    const { stderr } = await ours.run(["run", "--rm", "--runtime", "crun", IMAGE, "true"]);
    const crun = (await runProgram(["crun", "--version"])).stdout;
    if (/^crun version 1\.(?:\d|1\d|2[0-3])\b/.test(crun)) assert.match(stderr, /gives \/dev\/null of the machine/);
  });

  test("where files cannot have other owners, or ids cannot pass, the daemon does not start and says why", async () => {
    const inside = ["nsenter", `--mount=/proc/${holder?.pid}/ns/mnt`, "--"];
    const fails = async (root: string, expected: RegExp) => {
      const program = [...inside, ...daemonProgram()];
      await assert.rejects(startBoxship({ program, root, flags: ["--userns-remap", USER] }), expected);
    };
    // A file system of this kernel that knows no mapped mounts.
    const place = files.join("ram");
    mkdirSync(place);
    const { status, stderr } = await runProgram([...inside, "mount", "-t", "ramfs", "-o", "mode=711", "ram", place]);
    assert.equal(status, 0, stderr);
    await fails(
      `${place}/root`,
      /use ext4, xfs or btrfs.*the file system of .*\/ram\/.* cannot be mounted with other ids: EINVAL/s,
    );
    const closed = files.join("closed");
    mkdirSync(closed, { mode: 0o700 });
    await fails(`${closed}/root`, /a subdirectory in your graphroot path \(.*closed\) restricts access/);
    await assert.rejects(startBoxship({ flags: ["--userns-remap", "root"] }), /root cannot be remapped with itself/);
  });

  test("copies out have the container's own ids, and files are root's in the machine's namespace", async () => {
    // Docker hands out the ids that its files have on the disk.
    const listed = `tar -tv --numeric-owner | awk '{print $2, $6}'`;
    const script = `docker run -d --name out IMAGE sh -c 'mkdir /d; echo x > /d/x; chown -R 1000:1001 /d; exec sleep 1000' > /dev/null
      for i in $(seq 100); do test -n "$(docker exec out find /d/x -user 1000)" && break; done
      docker cp out:/d - | ${listed}; docker cp out:/etc/hosts - | ${listed}; docker stop -t 0 out > /dev/null
      docker cp out:/d - | ${listed}; docker rm -f out > /dev/null
      docker run --rm --userns host IMAGE stat -c %u:%g / /etc/hosts`;
    const tree = "1000/1001 d/\n1000/1001 d/x\n";
    assert.equal(await run(ours, script), `${tree}0/0 hosts\n${tree}0:0\n0:0\n`);
  });

  test("what is on the disk are the containers' own ids, with limits and after kill -9", async () => {
    await ours.ok([
      "run",
      "-d",
      "--name",
      "kept",
      "--storage-opt",
      "size=16m",
      "-v",
      "own:/v",
      "-p",
      "127.0.0.1::80",
      IMAGE,
      "sh",
      "-c",
      "mkdir -p /own /v/x; echo page > /own/index.html; chown 5 /own; exec httpd -f -p 80 -h /own",
    ]);
    const address = (await ours.ok(["port", "kept", "80"])).split("\n")[0];
    const page = () =>
      runProgram(["sh", "-c", `for i in $(seq 100); do curl -sf -m 5 http://${address}/ && break; sleep 0.1; done`]);
    assert.equal((await page()).stdout, "page\n");
    const mountpoint = await ours.ok(["volume", "inspect", "-f", "{{.Mountpoint}}", "own"]);
    assert.equal(statSync(`/proc/${boxship.pid}/root${mountpoint}/x`).uid, 0);
    const owners = ["exec", "kept", "stat", "-c", "%u", "/own", "/own/index.html", "/v/x"];
    assert.equal(await ours.ok(owners), "5\n0\n0");
    const limited = [
      "exec",
      "kept",
      "sh",
      "-c",
      "dd if=/dev/zero of=/big bs=1M count=40 2>&1 | grep -o 'No space left'; rm /big",
    ];
    assert.match(await ours.ok(limited), /No space left/);
    await boxship.client.json("POST", "/boxship/containers/kept/mounts", { Bind: "live:/made/here" });
    assert.equal(await ours.ok(["exec", "kept", "stat", "-c", "%u", "/made", "/made/here"]), "0\n0");
    await boxship.crash();
    await boxship.start();
    assert.equal((await page()).stdout, "page\n");
    assert.equal(await ours.ok(owners), "5\n0\n0");
    await ours.ok(["restart", "-t", "0", "kept"]);
    assert.equal(await ours.ok(owners), "5\n0\n0");
    const second = await ours.ok([
      "run",
      "--rm",
      "--network",
      "container:kept",
      IMAGE,
      "wget",
      "-qO-",
      "http://127.0.0.1/",
    ]);
    assert.equal(second, "page");
    await ours.ok(["rm", "-f", "-v", "kept"]);
  });
});
