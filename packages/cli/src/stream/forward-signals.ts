import type { Context } from "../context.ts";

/**
 * Signals that go on to the container. Those of this process' own business stay here: children, pipes, the window's
 * size, and what Node keeps for itself (SIGPROF). SIGKILL and SIGSTOP cannot be caught.
 */
const FORWARDED: readonly NodeJS.Signals[] = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGTERM",
  "SIGCONT",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGVTALRM",
  "SIGIO",
  "SIGPWR",
  "SIGSYS",
];

/** Passes the signals that this process gets on to a container, until disposed. */
export function forwardSignals({ api }: Context, container: string): Disposable {
  const forward = (signal: NodeJS.Signals): void => {
    // A container that is just gone, or not there yet, cannot be told.
    void api.call("POST", `/containers/${container}/kill`, { query: { signal: signal.slice(3) } }).catch(() => {});
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return {
    [Symbol.dispose]() {
      for (const signal of FORWARDED) process.off(signal, forward);
    },
  };
}
