import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { detachMount, isMountPoint, mount, unmount } from "@boxship/kernel";
import { INSTALLED_RUNTIMES, openTestBed, type TestBed } from "../testing.ts";

/** Mounts that are made after a runtime's own mount namespace was. */
for (const name of INSTALLED_RUNTIMES) {
  describe(`mounts made later, on ${name}`, () => {
    let bed: TestBed;
    let roots: string;
    before(async () => {
      bed = await openTestBed(name, (directory) => {
        roots = join(directory, "roots");
        return { mountRoots: [roots] };
      });
      await bed.run(["true"]);
    });
    after(async () => {
      await bed.runtime.reconcile([]);
      if (isMountPoint(roots)) detachMount(roots);
      await bed[Symbol.asyncDispose]();
    });

    test("a root filesystem below a mount root", async () => {
      for (const round of ["one", "two"]) {
        const place = join(roots, round);
        for (const part of ["upper", "work", "merged"]) mkdirSync(join(place, part), { recursive: true });
        const merged = join(place, "merged");
        const data = `lowerdir=${bed.rootfs},upperdir=${join(place, "upper")},workdir=${join(place, "work")}`;
        mount({ source: "overlay", target: merged, type: "overlay", data });
        const { stdout } = await bed.run(["sh", "-c", `echo ${round} > /mark; cat /mark`], {
          spec: { rootfs: merged },
        });
        assert.equal(stdout, `${round}\n`);
        // Nothing else holds it: not the launcher's namespace, not a conmon that has ended.
        unmount(merged);
      }
    });

    test("a volume elsewhere, and what is mounted below it", async () => {
      const source = join(bed.directory, `volume-${name}`);
      mkdirSync(source);
      const look = async () => {
        const mounts = [{ destination: "/v", type: "bind", source, options: ["rbind"] }];
        return (await bed.run(["sh", "-c", "cat /v/mark /v/sub/mark 2>/dev/null"], { spec: { mounts } })).stdout;
      };
      writeFileSync(join(source, "mark"), "below\n");
      assert.equal(await look(), "below\n");
      mount({ source: "tmpfs", target: source, type: "tmpfs" });
      try {
        writeFileSync(join(source, "mark"), "above\n");
        mkdirSync(join(source, "sub"));
        assert.equal(await look(), "above\n");
        mount({ source: "tmpfs", target: join(source, "sub"), type: "tmpfs" });
        writeFileSync(join(source, "sub/mark"), "deep\n");
        assert.equal(await look(), "above\ndeep\n");
        detachMount(join(source, "sub"));
        assert.equal(await look(), "above\n");
      } finally {
        detachMount(source);
      }
      assert.equal(await look(), "below\n");
    });
  });
}
