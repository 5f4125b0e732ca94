import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { silentLogger, systemClock } from "@boxship/base";
import { openLeakReport } from "@boxship/kernel";
import { ContainerRuntime } from "./container-runtime.ts";
import type {
  AttachStreams,
  CreateContainer,
  ExecRequest,
  ExitStatus,
  RuntimeOptions,
  StreamFrame,
} from "./contract.ts";
import { buildSpec } from "./spec/build-spec.ts";
import type { SpecRequest } from "./spec/request.ts";

/** Helpers of this package's own tests: a real runtime on a root filesystem of busybox. */

/** Which of the runtimes that the suite runs against are installed. */
export const INSTALLED_RUNTIMES = ["runc", "crun"].filter((name) => existsSync(`/usr/bin/${name}`));

export interface TestBed extends AsyncDisposable {
  readonly directory: string;
  readonly rootfs: string;
  readonly options: RuntimeOptions;
  readonly runtime: ContainerRuntime;
  /** A request for a container with the given command and whatever else is given. */
  container(args: readonly string[], changes?: ContainerChanges): CreateContainer;
  /** Creates, starts and waits; gives back what it wrote. */
  run(args: readonly string[], changes?: ContainerChanges): Promise<RunOutcome>;
  execRequest(args: readonly string[], changes?: Partial<ExecRequest>): ExecRequest;
}

export interface ContainerChanges {
  readonly id?: string;
  readonly spec?: Partial<SpecRequest>;
  readonly terminal?: boolean;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly logPath?: string;
}

export interface RunOutcome {
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;
}

let counter = 0;

/** A root filesystem with busybox and its applets. */
export function makeBusyboxRoot(directory: string): string {
  const rootfs = join(directory, "rootfs");
  for (const name of ["bin", "proc", "dev", "sys", "etc", "tmp", "root"])
    mkdirSync(join(rootfs, name), { recursive: true });
  copyFileSync("/bin/busybox", join(rootfs, "bin/busybox"));
  execFileSync("/bin/busybox", ["--install", "-s", join(rootfs, "bin")]);
  // Applets were linked to the host's path.
  execFileSync("/bin/sh", ["-c", "for f in bin/*; do [ -L $f ] && ln -sf busybox $f; done"], { cwd: rootfs });
  writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n");
  writeFileSync(join(rootfs, "etc/group"), "root:x:0:\nweb:x:1000:\n");
  return rootfs;
}

/** @param changes further options, by the bed's directory */
export async function openTestBed(
  runtimeName: string,
  changes: (directory: string) => Partial<RuntimeOptions> = () => ({}),
): Promise<TestBed> {
  const descriptors = openLeakReport();
  const directory = mkdtempSync(join(tmpdir(), "boxship-runtime-"));
  // Root of a user namespace is somebody else here, and must reach the root filesystem.
  chmodSync(directory, 0o755);
  const rootfs = makeBusyboxRoot(directory);
  const cgroupParent = `/boxship-test-${process.pid}-${counter++}`;
  const options: RuntimeOptions = {
    runDir: join(directory, "run"),
    cgroupParent,
    defaultRuntime: runtimeName,
    logger: silentLogger,
    clock: systemClock,
    ...changes(directory),
  };
  const runtime = await ContainerRuntime.open(options);
  const container: TestBed["container"] = (args, given = {}) => {
    const id = given.id ?? `c${process.pid}-${counter++}`;
    const terminal = given.terminal ?? false;
    const { spec } = buildSpec(
      {
        args,
        env: ["PATH=/bin", "HOME=/root"],
        cwd: "/",
        user: { uid: 0, gid: 0 },
        terminal,
        rootfs,
        cgroupsPath: `${cgroupParent}/${id}`,
        ...given.spec,
      },
      runtime.host,
    );
    return {
      id,
      spec,
      terminal,
      stdin: given.stdin ?? false,
      stdinOnce: given.stdinOnce ?? false,
      ...(given.logPath === undefined ? {} : { logPath: given.logPath }),
    };
  };
  return {
    directory,
    rootfs,
    options,
    runtime,
    container,
    async run(args, container_ = {}) {
      const request = container(args, container_);
      await runtime.create(request);
      const streams = await runtime.attach(request.id, { stdin: false, stdout: true, stderr: true });
      const exit = exitOf(runtime, request.id);
      await runtime.start(request.id);
      const [output, status] = await Promise.all([collect(streams), exit]);
      await runtime.delete(request.id);
      return { status, ...output };
    },
    execRequest: (args, request = {}) => ({
      execId: `e${process.pid}-${counter++}`,
      terminal: false,
      stdin: false,
      ...request,
      process: {
        args,
        env: ["PATH=/bin", "HOME=/root"],
        cwd: "/",
        user: { uid: 0, gid: 0 },
        ...(request.terminal ? { terminal: true } : {}),
        ...request.process,
      },
    }),
    async [Symbol.asyncDispose]() {
      await runtime.reconcile([]);
      await runtime[Symbol.asyncDispose]();
      removeCgroupParent(cgroupParent);
      rmSync(directory, { recursive: true, force: true });
      await refuseLeaks(descriptors);
    },
  };
}

/** Streams close their descriptors a moment after they were let go of; what is open after that is a leak. */
async function refuseLeaks(known: ReturnType<typeof openLeakReport>): Promise<void> {
  for (let look = 0; openLeakReport(known).length > 0; look++) {
    assert.ok(look < 100, `descriptors are left open: ${JSON.stringify(openLeakReport(known))}`);
    await delay(20);
  }
}

export function removeCgroupParent(path: string): void {
  const mounts = execFileSync("/bin/sh", ["-c", "ls -d /sys/fs/cgroup /sys/fs/cgroup/*/"], { encoding: "utf8" });
  for (const mount of mounts.trim().split("\n")) {
    if (existsSync(join(mount, path))) rmdirSync(join(mount, path));
  }
}

/** The next end of a container. */
export function exitOf(runtime: ContainerRuntime, id: string): Promise<ExitStatus> {
  const { promise, resolve } = Promise.withResolvers<ExitStatus>();
  const registration = runtime.onExit((ended, status) => {
    if (ended !== id) return;
    registration[Symbol.dispose]();
    resolve(status);
  });
  return promise;
}

/** Everything that comes until the streams end. */
export async function collect(streams: AttachStreams): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  for await (const { stream, data } of streams.output as AsyncIterable<StreamFrame>) output[stream].push(data);
  return {
    stdout: Buffer.concat(output.stdout).toString("utf8"),
    stderr: Buffer.concat(output.stderr).toString("utf8"),
  };
}
