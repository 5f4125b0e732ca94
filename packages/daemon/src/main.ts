// The first argument is the word that daemonCommand() puts there, in a checkout, a bundle and the executable alike.
const [first, ...rest] = process.argv.slice(3);

/** The forwarder of published ports and commands of builds are the same program, but do not pay for the engine's code. */
const run = async (): Promise<number> => {
  if (first === "--forward-ports") return (await import("./rootless/forward-ports.ts")).runPortForwarder(rest);
  if (first === "--run-in-root") return (await import("@boxship/build/run-in-root")).runInRoot();
  return (await import("./run-daemon.ts")).runDaemon(process.argv.slice(3));
};

// Ending is explicit: whatever a failed start left open (a thread, a socket) must not keep the process.
void run().then((status) => process.exit(status));
