import { open } from "node:fs/promises";
import { systemCode } from "@boxship/base";
import type { ContainerStatus } from "@boxship/cri";
import { ANNOTATION } from "../labels.ts";

const MOST = 4096;
const MOST_LOG = 2048;
const LOG_LINES = 80;

/** What a container wrote to its termination message, or, where it asks for that, the end of its log. */
export async function lastWords({ annotations, exitCode, logPath }: ContainerStatus): Promise<string> {
  const file = annotations[ANNOTATION.terminationMessageFile] ?? "";
  const words = file === "" ? "" : await tailOf(file, MOST);
  const fallback = annotations[ANNOTATION.terminationMessagePolicy] === "FallbackToLogsOnError";
  if (words !== "" || !fallback || exitCode === 0 || logPath === "") return words;
  const lines = (await tailOf(logPath, 4 * MOST_LOG)).split("\n").filter((line) => line !== "");
  return lines
    .slice(-LOG_LINES)
    .map((line) => `${line.split(" ").slice(3).join(" ")}\n`)
    .join("")
    .slice(-MOST_LOG);
}

async function tailOf(path: string, most: number): Promise<string> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(most), 0, most, Math.max(0, size - most));
    return buffer.toString("utf8", 0, bytesRead);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw error;
  }
}
