import { runDaemon } from "./run-daemon.ts";

// The first argument is the word that daemonCommand() puts there, in a checkout, a bundle and the executable alike.
// Ending is explicit: whatever a failed start left open (a thread, a socket) must not keep the process.
void runDaemon(process.argv.slice(3)).then((status) => process.exit(status));
