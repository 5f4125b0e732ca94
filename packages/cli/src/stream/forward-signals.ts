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

/** So many of these end this process, whatever the container makes of them: as many as Docker's clients take. */
const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
const PATIENCE = 3;

/** Signals on their way to a container, until disposed. */
export interface SignalForwarder extends Disposable {
  /** The container runs: what arrived before goes to it now. */
  start(): void;
}

/**
 * Passes the signals that this process gets on to a container. A container that does not run yet cannot be told, so
 * they wait for {@link SignalForwarder.start}. The third that asks for an end ends this process, for containers that do
 * not listen.
 */
export function forwardSignals({ api, stderr }: Context, container: string): SignalForwarder {
  const waiting: NodeJS.Signals[] = [];
  let started = false;
  const send = (signal: NodeJS.Signals): void => {
    // A container that has just ended cannot be told either, and nobody minds.
    void api.call("POST", `/containers/${container}/kill`, { query: { signal: signal.slice(3) } }).catch(() => {});
  };
  let ending = 0;
  const forward = (signal: NodeJS.Signals): void => {
    if (ENDING.includes(signal) && ++ending === PATIENCE) {
      stderr.write(`\ngot ${PATIENCE} SIGTERM/SIGINTs, forcefully exiting\n`);
      process.exit(1);
    }
    if (started) send(signal);
    else waiting.push(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return {
    start() {
      started = true;
      for (const signal of waiting.splice(0)) send(signal);
    },
    [Symbol.dispose]() {
      for (const signal of FORWARDED) process.off(signal, forward);
    },
  };
}
