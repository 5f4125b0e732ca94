import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { runProgram, type TempDir, tempDir } from "@boxship/testkit";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
let docker: DockerClient;
let files: TempDir;

/** dockerd runs in a mount namespace of its own, which does not see what is mounted later. */
const reference = process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd";

/** A field as the command line sets it, what a shell in the container says of it, and how. Docker says the same. */
const FIELDS: readonly (readonly [flags: string, script: string, says: string | RegExp])[] = [
  [
    "-v /etc/hostname:/etc/hostname:ro -v /etc/hosts:/etc/hosts -v /etc/resolv.conf:/etc/resolv.conf --hostname own",
    "grep -cx own /etc/hostname; ls /.dockerenv",
    "0\n/.dockerenv",
  ],
  ["--group-add 7 --group-add 100", "id -G", /^0 (?:10 )?7 100$/],
  ["--user 12:34 --group-add 7", "id -u; id -G", "12\n34 7"],
  ["--oom-score-adj 500", "cat /proc/self/oom_score_adj", "500"],
  ["--ulimit core=0:0 --ulimit nofile=100:200", "ulimit -c; ulimit -n; ulimit -Hn", "0\n100\n200"],
  ["--shm-size 3m", "stat -f -c %b /dev/shm", "768"],
  ["--ipc none", "ls -d /dev/shm 2>/dev/null || echo none", /^(?:none|\/dev\/shm)$/],
  [
    "--sysctl kernel.shmmax=12345 --sysctl kernel.msgmax=4000",
    "cat /proc/sys/kernel/shmmax /proc/sys/kernel/msgmax",
    "12345\n4000",
  ],
  ["--pids-limit 20", "cat /sys/fs/cgroup/pids/pids.max", "20"],
  [
    "--memory 64m --memory-swap 96m --memory-reservation 32m",
    "cd /sys/fs/cgroup/memory; cat memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes",
    "67108864\n100663296\n33554432",
  ],
  ["--memory 64m --memory-swappiness 7", "cat /sys/fs/cgroup/memory/memory.swappiness", "7"],
  [
    "--cpus 0.5 --cpu-shares 300 --cpuset-cpus 0 --cpuset-mems 0",
    "cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.shares cpuset/cpuset.cpus cpuset/cpuset.mems",
    "50000\n300\n0\n0",
  ],
  ["--device /dev/null:/dev/own:rw", "stat -c %t:%T /dev/own; echo x > /dev/own && echo written", "1:3\nwritten"],
  ["--device-cgroup-rule=c\u00a042:*\u00a0rmw", "cat /sys/fs/cgroup/devices/devices.list | grep 42", "c 42:* rwm"],
  ["--cap-drop ALL --cap-add NET_RAW", "grep CapEff /proc/self/status", /0000000000002000$/],
  [
    "--privileged",
    "grep -c 0 /proc/self/status > /dev/null; [ -w /proc/sys/kernel/hostname ] && echo writable",
    "writable",
  ],
  ["--security-opt no-new-privileges", "grep NoNewPrivs /proc/self/status", /1$/],
  ["--security-opt seccomp=unconfined", "grep Seccomp: /proc/self/status", /0$/],
  [
    "--security-opt systempaths=unconfined",
    "head -c 1 /proc/kcore > /dev/null 2>&1; mount | grep -c -e /proc/kcore -e /proc/sys || true",
    "0",
  ],
  [
    "--read-only --tmpfs /scratch:size=1m,mode=700",
    "touch /x 2>/dev/null || echo ro; stat -c %a /scratch; touch /scratch/x && echo rw",
    "ro\n700\nrw",
  ],
  ["--init", "tr '\\0' ' ' < /proc/1/cmdline", /docker-init -- sh -c/],
  ["--hostname own --domainname dom.ain", "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname", "own\ndom.ain"],
  ["--add-host a.b:1.2.3.4", "grep a.b /etc/hosts", /^1\.2\.3\.4\s+a\.b$/],
  [
    "--network none --dns 9.9.9.9 --dns-search x.y --dns-option ndots:3",
    "cat /etc/resolv.conf",
    /search x\.y[^]*ndots:3|nameserver 9\.9\.9\.9/,
  ],
  ["--cgroupns private", "grep -o '[^:]*$' /proc/self/cgroup | sort -u", "/"],
  ["--pid host", "ls /proc | grep -c '^[0-9]*$' | grep -q '[0-9][0-9]' && echo many", "many"],
  ["--label a=b --annotation x=y", "true", ""],
  ["--stop-signal SIGUSR1 --stop-timeout 3", "true", ""],
];

/** Docker 20.10 has no annotations, and gives up where the host does not let it have every right. */
const NOT_THERE = /--annotation|--privileged/;

const words = (flags: string) => flags.split(" ").map((word) => word.replaceAll("\u00a0", " "));

describe("fields of HostConfig do in the container what they say", { timeout: 240_000 }, () => {
  before(async () => {
    files = tempDir("host-config");
    mkdirSync(files.join("cdi"));
    writeFileSync(files.join("config.yaml"), `cdi: {directories: [${files.join("cdi")}]}`);
    engine = await startEngineUnderTest({ flags: ["--config", files.join("config.yaml")] });
    docker = engine.docker[0] as DockerClient;
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    await files[Symbol.asyncDispose]();
  });

  for (const [flags, script, says] of FIELDS) {
    test(flags, { skip: reference && NOT_THERE.test(flags) }, async () => {
      const network = flags.includes("--network") ? [] : ["--network", "none"];
      const output = await docker.ok(["run", "--rm", ...network, ...words(flags), IMAGE, "sh", "-c", script]);
      if (typeof says === "string") assert.equal(output.trim(), says);
      else assert.match(output.trim(), says);
    });
  }

  test("links of the image that lead nowhere are followed for mounts and the working directory", async () => {
    const script =
      "ln -s /srv/a /a; ln -s ../../../srv/b /b; ln -s /c2 /c; ln -s opt/../srv/c /c2; ln -s loop /loop; ln -s /srv/f /f";
    await docker.ok(["run", "--name", "linker", "--network", "none", IMAGE, "sh", "-c", `mkdir /opt; ${script}`]);
    await docker.ok(["commit", "linker", "links"]);
    writeFileSync(files.join("file"), "of the host");
    const run = (...args: string[]) => docker.run(["run", "--rm", "--network", "none", ...args]);
    const mounts = ["-v", "links-a:/a/deep", "--tmpfs", "/b", "-v", `${files.join("file")}:/f:ro`, "-w", "/c/work"];
    const seen = "pwd -P; cat /srv/f; echo; mount | cut -d ' ' -f 3 | grep ^/srv | sort; ls -a /srv/c/work /c2";
    const { stdout, stderr } = await run(...mounts, "links", "sh", "-c", seen);
    const listed = "/c2:\n.\n..\nwork\n\n/srv/c/work:\n.\n..\n";
    assert.equal(stdout, `/srv/c/work\nof the host\n/srv/a/deep\n/srv/b\n/srv/f\n${listed}`, stderr);
    for (const flags of [
      ["-w", "/loop"],
      ["-v", "links-a:/loop/x"],
      ["--tmpfs", "/loop"],
    ]) {
      const refused = await run(...flags, "links", "true");
      assert.equal(refused.status, 125);
      assert.match(refused.stderr, /too many (?:links|levels)/);
    }
    await docker.ok(["rm", "linker"]);
    await docker.ok(["volume", "rm", "links-a"]);
    await docker.ok(["rmi", "links"]);
  });

  test("the host's network takes no address of one's own", async () => {
    const refused = await docker.run(["run", "--rm", "--network", "host", "--ip", "1.2.3.4", IMAGE, "true"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /user specified IP address is supported on user defined networks only/);
  });

  test("namespaces of another container, and of the host", async () => {
    const run = (...flags: string[]) => docker.ok(["run", "-d", "--network", "none", ...flags, IMAGE, "sleep", "1000"]);
    const other = await run("--ipc", "shareable", "--name", "shares");
    const closed = await run("--ipc", "private", "--name", "closed");
    const links = (container: string) =>
      docker.ok(["exec", container, "sh", "-c", "cd /proc/self/ns && for n in ipc pid uts; do readlink $n; done"]);
    const ns = async (container: string) =>
      Object.fromEntries((await links(container)).split("\n").map((link) => link.split(":")));
    const joined = await run("--ipc", `container:${other}`, "--pid", "container:shares");
    const [theirs, ours] = [await ns(other), await ns(joined)];
    assert.deepEqual([ours["ipc"], ours["pid"]], [theirs["ipc"], theirs["pid"]]);
    assert.notEqual(ours["uts"], theirs["uts"]);
    await docker.ok(["exec", other, "sh", "-c", "echo shared > /dev/shm/file"]);
    assert.equal(await docker.ok(["exec", joined, "cat", "/dev/shm/file"]), "shared");
    const refused = await docker.run(["run", "--rm", "--ipc", `container:${closed}`, IMAGE, "true"]);
    assert.equal(refused.status, 125);
    assert.match(refused.stderr, /IPC.*(?:not shareable|non-shareable)/i);
    const host = await run("--uts", "host", "--ipc", "host", "--pid", "host");
    const mine = await runProgram(["sh", "-c", "cd /proc/self/ns && for n in ipc uts; do readlink $n; done"]);
    const hosts = await ns(host);
    assert.equal(`ipc:${hosts["ipc"]}\nuts:${hosts["uts"]}\n`, mine.stdout);
    await docker.ok(["rm", "-f", other, closed, joined, host]);
  });

  test("a block device's throttles", async (t) => {
    const { stdout } = await runProgram(["sh", "-c", "ls /dev/vda /dev/sda /dev/nvme0n1 2>/dev/null | head -1"]);
    const device = stdout.trim();
    if (device === "") return t.skip("no block device");
    const flags = [`--device-read-bps=${device}:1mb`, `--device-write-iops=${device}:500`];
    const script = "cd /sys/fs/cgroup/blkio; cat blkio.throttle.read_bps_device blkio.throttle.write_iops_device";
    const output = await docker.ok(["run", "--rm", "--network", "none", ...flags, IMAGE, "sh", "-c", script]);
    assert.match(output, /^\d+:\d+ 1048576\n\d+:\d+ 500$/);
  });

  test("a read-only bind is so with all that is mounted below it, unless told otherwise", {
    skip: reference,
  }, async () => {
    const source = files.join("source");
    mkdirSync(`${source}/below`, { recursive: true });
    await runProgram(["mount", "-t", "tmpfs", "boxship-test", `${source}/below`]);
    try {
      writeFileSync(`${source}/below/file`, "");
      const look = (flag: string, spec: string, runtime: string) =>
        docker.ok([
          "run",
          "--rm",
          "--network",
          "none",
          "--runtime",
          runtime,
          flag,
          spec,
          IMAGE,
          "sh",
          "-c",
          "touch /data/below/x 2>/dev/null && echo writable || echo read-only",
        ]);
      const mount = `type=bind,source=${source},target=/data,readonly`;
      for (const runtime of ["runc", "crun"]) {
        assert.equal(await look("-v", `${source}:/data:ro`, runtime), "read-only");
        assert.equal(await look("--mount", mount, runtime), "read-only");
        assert.equal(await look("--mount", `${mount},bind-recursive=writable`, runtime), "writable");
        const forced = `${mount},bind-recursive=readonly,bind-propagation=rprivate`;
        assert.equal(await look("--mount", forced, runtime), "read-only");
        assert.equal(await look("-v", `${source}:/data`, runtime), "writable");
      }
    } finally {
      await runProgram(["umount", `${source}/below`]);
    }
  });

  test("--storage-opt size= limits the writable layer, stopped and started", { skip: reference }, async () => {
    const fill = "dd if=/dev/zero of=/big bs=1M count=40 2>/dev/null; rm /big; echo data >> /kept; cat /kept";
    const limited = await docker.ok([
      "create",
      "--storage-opt",
      "size=20m",
      IMAGE,
      "sh",
      "-c",
      `(${fill}) 2>&1; df -m /`,
    ]);
    try {
      assert.match(await docker.ok(["start", "-a", limited]), /^data\n[^]* (?:1\d|20) [^]*\/$/);
      assert.equal(await docker.ok(["cp", `${limited}:/kept`, "-"]).then((tar) => /data\n/.test(tar)), true);
      assert.match(await docker.ok(["diff", limited]), /^A \/kept$/m);
      assert.match(await docker.ok(["start", "-a", limited]), /^data\ndata\n/);
      assert.equal(await docker.ok(["inspect", "-f", "{{.HostConfig.StorageOpt.size}}", limited]), "20m");
    } finally {
      await docker.ok(["rm", "-f", limited]);
    }
  });

  test("devices of the Container Device Interface, and --gpus", { skip: reference }, async (t) => {
    if (docker.version === "20.10") return t.skip("this client does not know them");
    const mounted = files.join("vendor");
    writeFileSync(mounted, "vendor's");
    writeFileSync(
      files.join("cdi/test.yaml"),
      `
cdiVersion: 0.6.0
kind: vendor.com/box
devices:
  - name: one
    containerEdits:
      env: [BOX=one]
      deviceNodes: [{path: /dev/box, hostPath: /dev/loop-control, permissions: r}]
      mounts: [{hostPath: ${mounted}, containerPath: /vendor, options: [ro, bind]}]
      hooks: [{hookName: createRuntime, path: /bin/sh, args: [sh, -c, "cat > ${mounted}.hook"]}]
`,
    );
    const script = "echo $BOX; stat -c %t:%T /dev/box; cat /vendor; (: > /dev/box) 2>/dev/null || echo read-only";
    const run = ["run", "--rm", "--device", "vendor.com/box=one", IMAGE, "sh", "-c", script];
    assert.equal(await docker.ok(run), "one\na:ed\nvendor'sread-only");
    const { id } = JSON.parse(readFileSync(`${mounted}.hook`, "utf8"));
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.match(await docker.ok(["info", "-f", "{{json .CDISpecDirs}}"]), /cdi/);
    for (const [flags, message] of [
      [["--device", "vendor.com/box=two"], /CDI device injection failed: unresolvable CDI devices vendor.com\/box=two/],
      [["--gpus", "all"], /could not select device driver "" with capabilities: \[\[gpu\]\]/],
    ] as const) {
      const { status, stderr } = await docker.run(["run", "--rm", ...flags, IMAGE, "true"]);
      assert.equal(status, 125, stderr);
      assert.match(stderr, message);
    }
  });

  test("--storage-opt, --isolation and --userns are refused by name", { skip: reference }, async () => {
    for (const [flags, message] of [
      [["--storage-opt", "bla=1G"], /unknown option bla/],
      [["--storage-opt", "size=bla"], /invalid size: "bla"/],
      [["--storage-opt", "size=1m"], /at least 8m/],
      [["--isolation", "hyperv"], /Isolation/],
      [["--userns", "private"], /userns/],
      [["--volume-driver", "nfs", "-v", "x:/x"], /volume.driver/i],
      [["--cpu-rt-runtime", "1000", "--cpu-rt-period", "2000"], /real-time runtime/],
    ] as const) {
      const { status, stderr } = await docker.run(["run", "--rm", ...flags, IMAGE, "true"]);
      assert.equal(status, 125, stderr);
      assert.match(stderr, message);
    }
  });
});
