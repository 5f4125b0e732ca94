import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { eraseAuth } from "../credentials/registry-auth.ts";
import { serverAddress } from "./login.ts";

export const command = defineCommand({
  usage: "[SERVER]",
  summary: "Log out from a registry",
  flags: {},
  operands: { max: 1 },
  async run(context, { operands: [given] }) {
    const server = serverAddress(given);
    print(context, `Removing login credentials for ${server}`);
    await eraseAuth(await context.config(), server);
  },
});
