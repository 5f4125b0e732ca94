import { join } from "node:path";
import { checkObjects, EncryptedValues } from "@boxship/apiserver";
import { describeStore, openChosenStore, openSqliteReader, requireWhole, sqlitePath } from "@boxship/store";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { currentStore, stateDirectory } from "../shared/cluster-state.ts";

export const command = defineCommand({
  usage: "",
  summary: "Read all of the cluster's state, and tell what is wrong",
  flags: {},
  async run(context) {
    const directory = stateDirectory(context.instance);
    const choice = await currentStore(directory);
    const secrets = await EncryptedValues.open(join(directory, "secrets.keys"));
    const problems: string[] = [];
    const look = async (store: Parameters<typeof checkObjects>[0]): Promise<number> => {
      const found = await checkObjects(store, secrets);
      problems.push(...found.problems);
      return found.objects;
    };
    let objects = 0;
    if (choice.kind === "sqlite") {
      await using reader = await openSqliteReader(sqlitePath(directory));
      problems.push(...(await reader.check()));
      objects = await look(reader);
    } else {
      await using store = await openChosenStore(choice, directory);
      await requireWhole(store);
      objects = await look(store);
    }
    for (const problem of problems) print(context, problem);
    if (problems.length > 0) {
      throw new Failure(`the state in ${describeStore(choice)} is damaged: ${problems.length} problems`, {
        remedy: "restore a snapshot: boxship store restore",
      });
    }
    print(context, `The state in ${describeStore(choice)} is sound: ${objects} objects`);
  },
});
