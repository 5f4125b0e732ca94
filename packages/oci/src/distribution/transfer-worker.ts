import { serveTasks } from "@boxship/base/worker-pool";
import { yieldToMainThread } from "../thread-priority.ts";
import { HttpConnections } from "./http.ts";
import { performTransfer } from "./perform-transfer.ts";
import type { TransferTask } from "./transfer.ts";

yieldToMainThread();

const connections = new HttpConnections();

serveTasks(async (task: TransferTask, context) => {
  const controller = new AbortController();
  const abort = () => {
    if (context.cancelled) controller.abort();
  };
  const wait = Atomics.waitAsync(context.cancelFlag, 0, 0);
  if (wait.async) void wait.value.then(abort);
  else abort();
  try {
    const progress = (written: number) => context.progress({ written });
    return await performTransfer(task, { connections, signal: controller.signal, progress });
  } finally {
    // Ends the wait, which would keep the flag's memory.
    Atomics.notify(context.cancelFlag, 0);
  }
});
