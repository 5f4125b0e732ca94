import { deepEqual } from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { kubectl, kubectlHere, kubernetesProgram, startApiServer, type TestApiServer, tempDir } from "@boxship/testkit";
import { linesOf, masked, wordsOf } from "../testing/lines.ts";

/** Command lines that only look: they can run beside each other. */
const LOOKING = ["words", "get", "describe", "complete"];
/** Command lines that change something, in their order. The real tool's go to a server of their own. */
const CHANGING = ["objects", "changes"];

describe("output equal to kubectl's", { skip: kubernetesProgram("kubectl") === undefined && "no kubectl here" }, () => {
  const stack = new AsyncDisposableStack();
  let [theirs, ours]: TestApiServer[] = [];
  let home = "";
  /** What `edit` runs. */
  const env = { KUBE_EDITOR: "sed -i -e s/multi/many/" };
  const real = (line: string) => kubectl(theirs?.kubeconfig ?? "", home)?.(wordsOf(line), { env });
  const here = (line: string, server: TestApiServer | undefined) =>
    kubectlHere(wordsOf(line), { kubeconfig: server?.kubeconfig ?? "", home, env });

  before(async () => {
    home = stack.use(tempDir("kubectl")).path;
    [theirs, ours] = await Promise.all([startApiServer(), startApiServer()]);
    for (const server of [theirs, ours]) stack.use(server);
  });
  after(() => stack.disposeAsync());

  async function compare(line: string, other: TestApiServer | undefined): Promise<void> {
    const [want, got] = await Promise.all([real(line), here(line, other)]);
    const shown = (ran: typeof got | undefined) => ({
      status: ran?.status,
      stdout: masked(ran?.stdout ?? ""),
      stderr: masked(ran?.stderr ?? ""),
    });
    deepEqual(shown(got), shown(want), `kubectl ${line}`);
  }

  for (const name of CHANGING) {
    test(`${name}: the same words, and the same left behind`, async () => {
      for (const line of linesOf(name)) await compare(line, ours);
    });
  }

  for (const name of LOOKING) {
    test(`${name}: of one and the same server`, async () => {
      const lines = [...linesOf(name)];
      const work = async (): Promise<void> => {
        for (let line = lines.shift(); line !== undefined; line = lines.shift()) await compare(line, theirs);
      };
      await Promise.all([work(), work(), work()]);
    });
  }
});
