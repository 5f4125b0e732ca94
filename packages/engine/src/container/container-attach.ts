import { Conflict } from "@boxship/base";
import type { LogBlock } from "@boxship/runtime";
import { type EngineContext, eventAttributes, liveOf } from "../context.ts";
import type { AttachOptions, OutputFrame, StreamSession } from "../engine-api.ts";
import { withDetachKeys } from "../stream/detachable.ts";
import { containerLogs } from "./container-logs.ts";
import { PendingAttach } from "./pending-attach.ts";
import { isAlive } from "./state.ts";

/**
 * Joins a client to a container's streams. A container that does not run yet is joined the moment it starts, before its
 * first byte.
 */
export async function attachContainer(
  context: EngineContext,
  ref: string,
  options: AttachOptions,
): Promise<StreamSession> {
  const record = context.containers.resolve(ref);
  const tty = record.effective.tty === true;
  if (record.state.status === "paused") {
    throw new Conflict(`container ${record.id} is paused, unpause the container before attach`, {
      subject: { kind: "container", name: record.name },
    });
  }
  if (record.state.status === "restarting") {
    throw new Conflict(`container ${record.id} is restarting, wait until the container is running`, {
      subject: { kind: "container", name: record.name },
    });
  }
  const replay = options.logs ? framesOf(await containerLogs(context, ref, { ...options, follow: false })) : undefined;
  if (!options.stream) return { tty, output: replay ?? emptyOutput(), close: () => {} };
  const wantsStdin = options.stdin && record.effective.openStdin === true;
  const live = isAlive(record.state)
    ? fromRuntime(tty, await context.runtime.attach(record.id, { ...options, stdin: wantsStdin }))
    : waitForStart(context, record.id, tty, { ...options, stdin: wantsStdin });
  context.events.publish("container", "attach", record.id, eventAttributes(record));
  const session = replay === undefined ? live : { ...live, output: chain(replay, live.output) };
  return withDetachKeys(session, options.detachKeys, () =>
    context.events.publish("container", "detach", record.id, eventAttributes(record)),
  );
}

function waitForStart(context: EngineContext, id: string, tty: boolean, options: AttachOptions): StreamSession {
  const { pendingAttaches } = liveOf(context, id);
  const pending: PendingAttach = new PendingAttach(tty, options, () => pendingAttaches.delete(pending));
  pendingAttaches.add(pending);
  return pending.session;
}

/** Joins a client that was early to the container, which has been created and not yet started. */
export async function attachToRuntime(context: EngineContext, id: string, pending: PendingAttach): Promise<void> {
  pending.connect(await context.runtime.attach(id, pending.options));
}

function fromRuntime(tty: boolean, streams: Awaited<ReturnType<EngineContext["runtime"]["attach"]>>): StreamSession {
  return {
    tty,
    ...(streams.stdin === undefined ? {} : { stdin: streams.stdin }),
    output: streams.output,
    close: () => streams.close(),
  };
}

async function* framesOf(blocks: AsyncIterable<LogBlock>): AsyncGenerator<OutputFrame> {
  for await (const block of blocks) {
    for (let index = 0; index < block.length; index++) {
      const data = block.bytes.subarray(block.dataStart(index), block.dataEnd(index));
      yield { stream: block.isStderr(index) ? "stderr" : "stdout", data };
    }
  }
}

async function* chain(...parts: readonly AsyncIterable<OutputFrame>[]): AsyncGenerator<OutputFrame> {
  for (const part of parts) yield* part;
}

async function* emptyOutput(): AsyncGenerator<OutputFrame> {}
