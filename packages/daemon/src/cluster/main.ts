// The first argument is the word that clusterCommand() puts there, in a checkout, a bundle and the executable alike.
const argv = process.argv.slice(3);

async function run(): Promise<number> {
  if (argv[0] === "simulate") {
    process.once("SIGINT", () => process.exit(130));
    process.once("SIGTERM", () => process.exit(143));
    return await (await import("./run-simulation.ts")).runSimulation(argv.slice(1));
  }
  return await (await import("./run-cluster.ts")).runCluster(argv);
}

void run().then((status) => process.exit(status));
