import { runDaemon } from "./run-daemon.ts";

// The first argument is the word that daemonCommand() puts there, in a checkout, a bundle and the executable alike.
void runDaemon(process.argv.slice(3)).then((status) => {
  process.exitCode = status;
});
