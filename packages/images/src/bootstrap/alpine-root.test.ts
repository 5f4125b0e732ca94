import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { endArchiveWorkers } from "@boxship/oci";
import { type ApkFixture, ApkKeyFixture, apkMirror, apkRepository, staticBusybox, tempDir } from "@boxship/testkit";
import { asyncProperty, assert as check, uint8Array } from "fast-check";
import { imageFromDirectory } from "../bundle/image-from-directory.ts";
import { directoryDestination } from "../transport/directory.ts";
import { type AlpineRequest, alpineRoot } from "./alpine-root.ts";
import { readSignedIndex } from "./apk-file.ts";
import { parseApkIndex } from "./apk-index.ts";
import { resolvePackages } from "./resolve-packages.ts";

after(endArchiveWorkers);

const key = new ApkKeyFixture("test@example.org-1.rsa.pub");

const packages = (): readonly ApkFixture[] => [
  {
    name: "baselayout",
    version: "3.6-r1",
    files: [
      { name: "etc", type: "directory" },
      { name: "etc/os-release", content: "ID=alpine\nVERSION_ID=3.22\n" },
      { name: "tmp", type: "directory", mode: 0o1777 },
      { name: "bin", type: "directory" },
      { name: "sbin", type: "directory" },
      { name: "usr", type: "directory" },
      { name: "usr/bin", type: "directory" },
      { name: "usr/sbin", type: "directory" },
    ],
  },
  {
    name: "busybox",
    version: "1.37.0-r9",
    index: ["D:baselayout>=3 so:libc.musl-x86_64.so.1", "p:/bin/sh cmd:busybox=1.37.0-r9"],
    info: ["triggers = /bin /usr/bin /none/*"],
    files: [{ name: "bin/busybox", content: readFileSync(staticBusybox()), mode: 0o755 }],
    scripts: {
      ".post-install": "#!/bin/busybox sh\nexec /bin/busybox --install -s\n",
      ".trigger": '#!/bin/sh\necho "$@" > /etc/triggered\nls /proc/self > /dev/null 2>&1 || echo alone\n',
    },
  },
  {
    name: "musl",
    index: ["p:so:libc.musl-x86_64.so.1=1"],
    files: [
      { name: "lib", type: "directory" },
      { name: "lib/libc.so", content: "musl" },
      { name: "lib/ld.so", type: "symlink", link: "libc.so" },
    ],
  },
  { name: "extra", index: ["i:busybox=1.37.0-r9 musl"], files: [{ name: "etc/extra", content: "x" }] },
  { name: "unwanted", files: [{ name: "etc/unwanted", content: "x" }] },
];

const place = (files: Map<string, Buffer>, repository = "main") =>
  [...files].map(([name, content]) => [`/v3.22/${repository}/x86_64/${name}`, content] as const);

const request = (mirror: string, directory: string, more: Partial<AlpineRequest> = {}): AlpineRequest => {
  mkdirSync(directory);
  const base = { mirror, release: "v3.22", repositories: ["main"], architecture: "x86_64", packages: ["/bin/sh"] };
  return { ...base, keys: [key], directory, ...more };
};

test("packages are installed with what they need, their scripts run, and the same come to the same image", async () => {
  await using work = tempDir("alpine");
  await using mirror = await apkMirror(new Map(place(apkRepository(packages(), key))));
  const digests: string[] = [];
  for (const name of ["one", "two"]) {
    const root = work.join(name);
    const made = await alpineRoot(request(`${mirror.address}/`, root));
    deepEqual(
      made.packages.map((one) => one.name),
      ["baselayout", "musl", "busybox", "extra"],
    );
    await using destination = await directoryDestination(work.join(`${name}-image`));
    digests.push(await imageFromDirectory({ directory: root, destination, epoch: made.epoch }));
  }
  equal(digests[0], digests[1]);
  const root = work.join("one");
  const inside = (...command: string[]) => spawnSync("chroot", [root, ...command], { encoding: "utf8" }).stdout;
  equal(inside("/bin/sh", "-c", "cat /etc/triggered; stat -c %a /tmp; cat /lib/ld.so"), "/bin /usr/bin\n1777\nmusl");
  ok(!existsSync(`${root}/etc/unwanted`) && !existsSync(`${root}/.boxship-trigger`));
  const installed = readFileSync(`${root}/lib/apk/db/installed`, "utf8");
  match(installed, /P:busybox\nV:1\.37\.0-r9\n(?:.+\n)*F:bin\nR:busybox\na:0:0:755\nZ:Q1[\w+/]{27}=\n\n/);
  match(installed, /F:tmp\nM:0:0:1777\n/);
  equal(readFileSync(`${root}/etc/apk/world`, "utf8"), "/bin/sh\n");
  equal(readFileSync(`${root}/etc/apk/repositories`, "utf8"), `${mirror.address}/v3.22/main\n`);
  equal(readFileSync(`${root}/etc/apk/keys/${key.name}`, "utf8"), key.content);
});

test("nothing is taken that the keys did not sign", async () => {
  await using work = tempDir("alpine-bad");
  const files = apkRepository(packages(), key);
  await using mirror = await apkMirror(new Map(place(files)));
  let count = 0;
  const making = (more: Partial<AlpineRequest> = {}) =>
    alpineRoot(request(mirror.address, work.join(`root${count++}`), more));
  await rejects(making({ keys: [] }), { code: "FailedPrecondition", message: /no key/ });
  await rejects(making({ keys: [new ApkKeyFixture("other.pub")] }), { code: "PermissionDenied", message: /not among/ });
  const imposter = new ApkKeyFixture(key.name);
  await rejects(making({ keys: [imposter] }), { code: "PermissionDenied", message: /signature .* is wrong/ });
  await rejects(making({ packages: ["none"] }), { code: "FailedPrecondition", message: /needs none/ });
  await rejects(making({ release: "v9" }), { code: "NotFound" });
  await rejects(making({ mirror: "http://127.0.0.1:1" }), { code: "Unavailable" });

  const original = new Map<string, Buffer>(place(files));
  const index = "/v3.22/main/x86_64/APKINDEX.tar.gz";
  const busybox = "/v3.22/main/x86_64/busybox-1.37.0-r9.apk";
  const changed = (path: string, change: (bytes: Buffer) => Buffer) => {
    mirror.files.set(path, change(Buffer.from(original.get(path) ?? "")));
  };
  const flipped = (at: number) => (bytes: Buffer) => {
    const offset = bytes.length + at;
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    return bytes;
  };
  for (const [path, change] of [
    [index, flipped(-20)],
    [index, (bytes: Buffer) => bytes.subarray(0, -100)],
    [index, () => Buffer.from("not at all")],
    [busybox, flipped(-50_000)],
    [busybox, (bytes: Buffer) => bytes.subarray(0, -1)],
    [busybox, (bytes: Buffer) => Buffer.concat([bytes, Buffer.from("more")])],
    // Another package, signed by the same key, in its place.
    [busybox, () => files.get("musl-1.0-r0.apk") ?? Buffer.alloc(0)],
  ] as const) {
    changed(path, change);
    await rejects(making(), (error: { code?: string }) => /PermissionDenied|InvalidArgument/.test(error.code ?? ""));
    changed(path, (bytes) => bytes);
  }
  await making();
});

test("packages are chosen as apk chooses them", () => {
  const index = parseApkIndex(
    [
      "P:app\nV:1.0-r0\nC:Q1x\nD:lib>=2 !rival virtual cmd:tool",
      "P:lib\nV:1.9-r0\nC:Q1x",
      "P:lib\nV:2.10-r0\nC:Q1x\nD:app",
      "P:lib\nV:2.9-r0\nC:Q1x",
      "P:rival\nV:1-r0\nC:Q1x",
      "P:low\nV:1-r0\nC:Q1x\np:virtual\nk:1",
      "P:high\nV:1-r0\nC:Q1x\np:virtual cmd:tool=1-r0\nk:10",
      "P:fuzzy\nV:1-r0\nC:Q1x\nD:lib~2.9",
      "P:doc\nV:1-r0\nC:Q1x\ni:app high",
    ].join("\n\n"),
  );
  const names = (...wanted: string[]) =>
    resolvePackages(index, wanted).map(({ name, version }) => `${name} ${version}`);
  deepEqual(names("app"), ["lib 2.10-r0", "high 1-r0", "app 1.0-r0", "doc 1-r0"]);
  deepEqual(names("fuzzy"), ["lib 2.9-r0", "fuzzy 1-r0"]);
  deepEqual(names("lib<2"), ["lib 1.9-r0"]);
  throws(() => names("rival", "app"), /app may not be beside rival/);
  throws(() => names("fuzzy", "lib>2.9-r0"), /both lib 2\.10-r0 and 2\.9-r0/);
  throws(() => names("lib>3"), /lib>3, which the repositories do not have/);
  throws(() => parseApkIndex("P:../../etc\nV:1\nC:Q1x"), /malformed/);
});

test("no bytes make the reader of indexes throw anything else than its own errors", async () => {
  const good = apkRepository([], key).get("APKINDEX.tar.gz") ?? Buffer.alloc(0);
  equal(await readSignedIndex(good, [key], "index"), "\n\n");
  const own = async (bytes: Uint8Array) =>
    readSignedIndex(Buffer.from(bytes), [key], "index").then(
      () => false,
      (error: { code?: string }) => /PermissionDenied|InvalidArgument/.test(error.code ?? ""),
    );
  await check(
    asyncProperty(uint8Array({ maxLength: 200 }), async (bytes) => {
      ok(await own(bytes));
      ok(await own(Buffer.concat([good.subarray(0, bytes.length * 3), bytes])));
    }),
  );
});
