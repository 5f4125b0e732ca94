import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { FailedPrecondition, systemCode } from "@boxship/base";
import { CurrentDirectory, type Fd, OpenFlag, openat, read, watchDescriptor, write } from "@boxship/kernel";
import { type Context, type RuntimeBinary, runtimeCommand } from "./context.ts";
import type { ContainerRecord } from "./record.ts";
import { runtimeError } from "./runtime-error.ts";

/**
 * Lets a created container go. runc and crun keep it waiting at a FIFO in their state directory, and their `start` does
 * nothing but pass it: done here it costs no process. runc's container writes to the FIFO, crun's reads from it.
 *
 * @throws FailedPrecondition the container was started before, or its process has ended
 */
export async function startContainer(
  context: Context,
  id: string,
  record: ContainerRecord,
  runtime: RuntimeBinary,
): Promise<void> {
  if (runtime.kind === "other") return startByCommand(context, id, record, runtime);
  const fifo = join(context.layout.stateRoot(runtime.name), id, "exec.fifo");
  try {
    if (runtime.kind === "crun") releaseReader(fifo);
    else await releaseWriter(context, id, fifo);
    unlinkSync(fifo);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENXIO") throw hasEnded(id, error);
    if (code === "ENOENT") throw notCreated(id, error);
    throw error;
  }
}

function notCreated(id: string, cause?: unknown): FailedPrecondition {
  return new FailedPrecondition(`container ${id} does not wait to be started`, {
    subject: { kind: "container", name: id },
    cause,
  });
}

function hasEnded(id: string, cause?: unknown): FailedPrecondition {
  return new FailedPrecondition(`the process of container ${id} ended before it was started`, {
    subject: { kind: "container", name: id },
    remedy:
      "start it again; when it happens again, look for who ends processes, such as the kernel when memory is short",
    cause,
  });
}

/** ENXIO when nobody reads: the container is dead. */
function releaseReader(fifo: string): void {
  using end = openat(CurrentDirectory, fifo, OpenFlag.WriteOnly | OpenFlag.NonBlock);
  write(end, Buffer.of(0));
}

async function releaseWriter(context: Context, id: string, fifo: string): Promise<void> {
  using end = openat(CurrentDirectory, fifo, OpenFlag.ReadOnly | OpenFlag.NonBlock);
  const written = Promise.withResolvers<boolean>();
  // A container that dies instead of writing leaves the FIFO silent.
  void context.exits.wait(id).then(() => written.resolve(false));
  using _watch = watchDescriptor(end, { readable: true }, () => {
    try {
      const length = readByte(end);
      if (length !== undefined) written.resolve(length > 0);
    } catch (error) {
      written.reject(error);
    }
  });
  if (!(await written.promise)) throw hasEnded(id);
}

function readByte(end: Fd): number | undefined {
  return read(end, Buffer.alloc(8));
}

async function startByCommand(
  context: Context,
  id: string,
  record: ContainerRecord,
  runtime: RuntimeBinary,
): Promise<void> {
  const result = await runtimeCommand(context, runtime, ["start", id]);
  if (result.code === 0) return;
  throw runtimeError({ what: `start container ${id}`, command: record.command, output: result.stderr.toString() });
}
