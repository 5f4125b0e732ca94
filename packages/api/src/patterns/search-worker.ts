import { serveTasks } from "@boxship/base/worker-pool";
import { search } from "./search.ts";

export interface SearchTask {
  readonly pattern: string;
  readonly text: string;
  readonly most: number | undefined;
}

serveTasks(({ pattern, text, most }: SearchTask): readonly string[] | boolean => search(pattern, text, most));
