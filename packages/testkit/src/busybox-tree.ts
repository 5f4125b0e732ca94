import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "./run-program.ts";
import type { TarEntry } from "./tar-fixture.ts";

/** Where a statically linked busybox is; the test setup sees to it. */
export function staticBusybox(): string {
  const places = ["/bin/busybox", "/usr/bin/busybox"];
  const beside = process.env["PATH"]?.split(":").map((folder) => join(folder, "busybox")) ?? [];
  const found = [...beside, ...places].find((path) => existsSync(path));
  if (found === undefined) throw new Error("no busybox here: run scripts/setup.sh test");
  return found;
}

const passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
const group = "root:x:0:\nnogroup:x:65534:\n";

/** The same small system as {@link busyboxTree}, as a layer for {@link pushFixture}. */
export async function busyboxEntries(): Promise<readonly TarEntry[]> {
  const source = staticBusybox();
  const { stdout } = await runProgram([source, "--list"]);
  const applets = stdout.split("\n").filter((applet) => applet !== "" && applet !== "busybox");
  return [
    ...["bin", "etc", "root", "var", "proc", "sys", "dev"].map((name) => ({ name, type: "directory" as const })),
    { name: "tmp", type: "directory", mode: 0o1777 },
    { name: "bin/busybox", content: readFileSync(source), mode: 0o755 },
    ...applets.map((applet) => ({ name: `bin/${applet}`, type: "symlink" as const, link: "busybox" })),
    { name: "etc/passwd", content: passwd },
    { name: "etc/group", content: group },
  ];
}

/** Fills `directory` with a small root file system: busybox, all its applets, passwd, group and tmp. */
export async function busyboxTree(directory: string): Promise<void> {
  const source = staticBusybox();
  for (const folder of ["bin", "etc", "tmp", "root", "var", "proc", "sys", "dev"]) {
    mkdirSync(join(directory, folder), { recursive: true });
  }
  chmodSync(join(directory, "tmp"), 0o1777);
  copyFileSync(source, join(directory, "bin/busybox"));
  chmodSync(join(directory, "bin/busybox"), 0o755);
  const { stdout } = await runProgram([source, "--list"]);
  for (const applet of stdout.split("\n")) {
    if (applet !== "" && applet !== "busybox") symlinkSync("busybox", join(directory, "bin", applet));
  }
  writeFileSync(join(directory, "etc/passwd"), passwd);
  writeFileSync(join(directory, "etc/group"), group);
}
