import { openSqliteStore } from "../sqlite/open-sqlite-store.ts";

// Writes for ever, from several clients, and prints what was acknowledged: `key revision`.
const [path = "", round = ""] = process.argv.slice(2);
const store = await openSqliteStore({ path });
const value = new Uint8Array(1000);
async function client(name: number): Promise<never> {
  for (let index = 0; ; index++) {
    const key = `/crash/${round}/${name}/${index}`;
    const { revision } = await store.transact({ success: [{ kind: "put", key, value }] });
    process.stdout.write(`${key} ${revision}\n`);
  }
}
await Promise.all(Array.from({ length: 8 }, (_, name) => client(name)));
