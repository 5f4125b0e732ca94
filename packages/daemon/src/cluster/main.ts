// The first argument is the word that clusterCommand() puts there, in a checkout, a bundle and the executable alike.
import { runCluster } from "./run-cluster.ts";

void runCluster(process.argv.slice(3)).then((status) => process.exit(status));
