/** The second half of the random books, in a process of its own. */
import './random-books.test.ts';
