/** As a POSIX shell takes it for one word, whatever is in it. */
export const quoteWord = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** The same, as it is where it needs no quotes: for people to read and to type. */
export const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : quoteWord(word));
