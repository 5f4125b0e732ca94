// Helm in a process of its own, for tests that kill it.
import { runHelm } from "../run-helm.ts";

const { stdin, stdout, stderr, env, argv } = process;
process.exitCode = await runHelm(argv.slice(2), { stdin, stdout, stderr, env });
