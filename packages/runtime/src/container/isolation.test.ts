import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { INSTALLED_RUNTIMES, openTestBed, type TestBed } from "../testing.ts";

/** What a process in a container sees and may do. */
for (const name of INSTALLED_RUNTIMES) {
  describe(`isolation on ${name}`, () => {
    let bed: TestBed;
    before(async () => {
      bed = await openTestBed(name);
      // The first container compiles the filter, the others may be given it ready-made: both must hold.
      await bed.run(["true"]);
    });
    after(() => bed[Symbol.asyncDispose]());
    const shell = (script: string, spec: NonNullable<Parameters<TestBed["run"]>[1]>["spec"] = {}) =>
      bed.run(["sh", "-c", script], { spec });

    test("capabilities are Docker's, and none are left to another user", async () => {
      const root = await shell("grep Cap /proc/self/status");
      assert.match(root.stdout, /CapPrm:\s*00000000a80425fb/);
      assert.match(root.stdout, /CapEff:\s*00000000a80425fb/);
      assert.match(root.stdout, /CapBnd:\s*00000000a80425fb/);
      assert.match(root.stdout, /CapInh:\s*0000000000000000/);
      const web = await shell("id; grep -E 'CapEff|NoNewPrivs' /proc/self/status", {
        user: { uid: 1000, gid: 1000, additionalGids: [1000, 44] },
        noNewPrivileges: true,
      });
      assert.match(web.stdout, /uid=1000\(web\) gid=1000\(web\) groups=.*\b44\b/);
      assert.match(web.stdout, /CapEff:\s*0000000000000000/);
      assert.match(web.stdout, /NoNewPrivs:\s*1/);
      const none = await shell("grep CapBnd /proc/self/status", { capabilities: { drop: ["ALL"] } });
      assert.match(none.stdout, /CapBnd:\s*0000000000000000/);
    });

    for (const round of ["compiled", "learned"]) {
      test(`the seccomp filter refuses namespaces and mounts (${round})`, async () => {
        const { stdout, stderr } = await shell("grep Seccomp: /proc/self/status; unshare -U true; unshare -m true");
        assert.match(stdout, /Seccomp:\s*2/);
        assert.equal(stderr.match(/unshare.*Operation not permitted/g)?.length, 2);
      });
    }

    test("seccomp can be left out, and CAP_SYS_ADMIN brings its calls back", async () => {
      const open = await shell("grep Seccomp: /proc/self/status", { seccomp: "unconfined" });
      assert.match(open.stdout, /Seccomp:\s*0/);
      const admin = await shell("unshare -m true && echo made", { capabilities: { add: ["SYS_ADMIN"] } });
      assert.equal(admin.stdout, "made\n");
    });

    test("exec is under the same filter", async () => {
      const request = bed.container(["sleep", "100"]);
      await bed.runtime.create(request);
      await bed.runtime.start(request.id);
      const exec = await bed.runtime.exec(
        request.id,
        bed.execRequest(["sh", "-c", "grep Seccomp: /proc/self/status > /tmp/exec-seccomp"], { detach: true }),
      );
      assert.equal((await exec.exited).code, 0);
      await bed.runtime.delete(request.id);
      const { stdout } = await shell("cat /tmp/exec-seccomp");
      assert.match(stdout, /Seccomp:\s*2/);
    });

    test("sensitive paths are hidden or read-only", async () => {
      const hidden = await shell(
        "for f in kcore keys interrupts latency_stats timer_list; do [ ! -e /proc/$f ] || wc -c < /proc/$f; done",
      );
      assert.match(hidden.stdout, /^(0\n)+$/);
      // The first of the control groups, whatever the layout.
      const { stderr } = await shell(
        "echo h > /proc/sys/kernel/hostname; set -- $(find /sys/fs/cgroup -name cgroup.procs); mkdir ${1%/*}/x",
      );
      assert.equal(stderr.match(/Read-only file system/gi)?.length, 2);
    });

    test("namespaces of its own, with names and limits", async () => {
      const { stdout } = await shell(
        "hostname; cat /proc/sys/kernel/domainname; echo $$; ls /sys/class/net; ulimit -n; cat /proc/self/oom_score_adj; df /dev/shm | tail -1 | awk '{print $2}'; umask; cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
        {
          hostname: "box",
          domainname: "example.org",
          rlimits: [{ type: "nofile", soft: 100, hard: 200 }],
          oomScoreAdj: 500,
          shmSize: 1 << 20,
        },
      );
      assert.deepEqual(stdout.trim().split("\n"), ["box", "example.org", "1", "lo", "100", "500", "1024", "0022", "0"]);
    });

    test("mounts: binds, read-only binds, tmpfs, a read-only root", async () => {
      const source = join(bed.directory, "volume");
      mkdirSync(source, { recursive: true });
      writeFileSync(join(source, "file"), "from outside\n");
      const { stdout, stderr } = await shell(
        "cat /data/file; echo inside > /data/new; echo x > /fixed/y; echo x > /root/z; df -T /scratch 2>/dev/null | tail -1 | awk '{print $2}'; grep ' /scratch ' /proc/mounts",
        {
          readonlyRootfs: true,
          mounts: [
            { destination: "/data", type: "bind", source, options: ["rbind"] },
            { destination: "/fixed", type: "bind", source, options: ["rbind", "ro"] },
            { destination: "/scratch", type: "tmpfs", source: "tmpfs", options: ["nosuid", "size=1m"] },
          ],
        },
      );
      assert.match(stdout, /^from outside\n/);
      assert.match(stdout, /tmpfs \/scratch tmpfs/);
      assert.equal(stderr.match(/Read-only file system/g)?.length, 2);
    });

    test("devices: the usual ones work, others do not", async () => {
      const plain = await shell(
        "head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; mknod /tmp/kmsg-$$ c 1 11; cat /tmp/kmsg-$$ | head -c 1",
      );
      assert.match(plain.stdout, /^3\n3\n$/);
      assert.match(plain.stderr, /Operation not permitted/);
      const given = await shell("ls -l /dev/mine; head -c 1 /dev/mine | wc -c", {
        devices: [{ hostPath: "/dev/zero", containerPath: "/dev/mine", permissions: "r" }],
      });
      assert.match(given.stdout, /^c.* 1, +5 .*\/dev\/mine\n1\n$/);
    });

    test("a privileged container may do what the host may", async () => {
      const { stdout, status } = await shell(
        "mount -t tmpfs x /tmp && echo mounted; echo 5 > /proc/sys/net/ipv4/ip_default_ttl && cat /proc/sys/net/ipv4/ip_default_ttl; mkdir /sys/fs/cgroup/x 2>/dev/null; ls /dev | wc -l",
        { privileged: true },
      );
      assert.match(stdout, /^mounted\n5\n/);
      assert.equal(status.code, 0);
    });

    test("an init reaps and passes the exit code", async (context) => {
      if (bed.runtime.host.initBinary === undefined) {
        context.skip("no static init binary on this host");
        return;
      }
      const { stdout, status } = await bed.run(["sh", "-c", "cat /proc/1/comm; exit 4"], { spec: { init: true } });
      assert.match(stdout, /docker-init|tini|catatonit/);
      assert.equal(status.code, 4);
    });

    test("a user namespace maps root to another id", async (context) => {
      const { runtimes } = bed.runtime.info;
      if (runtimes.some((each) => each.name === name && each.givesDevicesAway === true)) {
        context.skip(`this ${name} would give the machine's /dev/null to that id`);
        return;
      }
      const { stdout } = await shell("id -u; cat /proc/self/uid_map", {
        namespaces: {
          user: {
            uids: [{ containerID: 0, hostID: 200_000, size: 65_536 }],
            gids: [{ containerID: 0, hostID: 200_000, size: 65_536 }],
          },
        },
      });
      assert.match(stdout, /^0\n\s+0\s+200000\s+65536/);
    });

    test("a symbolic link in the root leads nowhere outside", async () => {
      const target = join(bed.rootfs, "escape");
      symlinkSync("/etc", target);
      const source = join(bed.directory, "bound");
      mkdirSync(source, { recursive: true });
      writeFileSync(join(source, "mark"), "");
      const { stdout } = await shell("ls /etc/deep/in", {
        mounts: [{ destination: "/escape/deep/in", type: "bind", source, options: ["rbind"] }],
      });
      assert.equal(stdout, "mark\n");
    });
  });
}
