import { rename } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "./atomic-file.ts";
import { errorMessage } from "./errors.ts";
import type { Logger } from "./log.ts";

/**
 * Moves a state file that cannot be read to `<path>.corrupt`, where its owner finds it, so that it keeps nothing from
 * starting. An earlier one of that name is replaced. The log names the file, what it held and why it was not understood.
 *
 * @param what it held, as `the list of images`
 */
export async function setAside(path: string, what: string, error: unknown, logger: Logger): Promise<void> {
  const aside = `${path}.corrupt`;
  await rename(path, aside);
  await syncDirectory(dirname(path));
  logger.error(`${what} cannot be read and is left out`, { path, movedTo: aside, reason: errorMessage(error) });
}
