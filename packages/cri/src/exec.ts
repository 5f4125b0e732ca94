import { DeadlineExceeded, InvalidArgument, systemCode } from "@boxship/base";
import type { Engine, StreamSession } from "@boxship/engine";
import { ofPod } from "./containers.ts";
import type { CriHandlers } from "./contract.ts";

/** What one answer may carry, beside what says what it is. */
const MOST_OUTPUT = (16 << 20) - 1024;

/** Runs a command in a container and waits for its end; one that takes too long is killed. */
export function execHandlers(engine: Engine): Pick<CriHandlers, "execSync"> {
  const { execs, parts } = engine;
  return {
    async execSync({ containerId, cmd, timeout }, signal) {
      if (cmd.length === 0) throw new InvalidArgument("the command is missing");
      const { id } = ofPod(engine, containerId);
      const exec = await execs.create(id, { cmd, attachStdout: true, attachStderr: true });
      signal.throwIfAborted();
      const session = await execs.start(exec, {});
      const late = timeout > 0 ? parts.clock.setTimeout(timeout * 1000, () => over.abort()) : undefined;
      const over = new AbortController();
      const kill = (): void => void killExec(engine, exec, session);
      AbortSignal.any([signal, over.signal]).addEventListener("abort", kill, { once: true });
      // Whoever called may have gone while it was started, which no event tells any more.
      if (signal.aborted) kill();
      try {
        const [stdout, stderr] = await collect(session);
        if (over.signal.aborted) {
          throw new DeadlineExceeded(`command ${cmd.join(" ")} timed out after ${timeout} s`);
        }
        return { stdout, stderr, exitCode: (await execs.get(exec)).exitCode ?? 255 };
      } finally {
        late?.[Symbol.dispose]();
      }
    },
  };
}

/** Ends a command that nobody waits for any more. */
export async function killExec({ execs }: Engine, id: string, session: StreamSession): Promise<void> {
  const { running, pid } = await execs.get(id);
  session.close();
  if (!running || pid === 0) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (systemCode(error) !== "ESRCH") throw error;
  }
}

/** What was printed, cut where it is more than an answer carries. */
async function collect({ output }: StreamSession): Promise<readonly [stdout: Buffer, stderr: Buffer]> {
  const kept: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
  let left = MOST_OUTPUT;
  for await (const { stream, data } of output) {
    if (left > 0) kept[stream].push(data.subarray(0, left));
    left -= data.length;
  }
  return [Buffer.concat(kept.stdout), Buffer.concat(kept.stderr)];
}
