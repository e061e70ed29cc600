import { expect, test } from 'vitest';
import { wrapText } from './wrap-text.ts';

test('breaks at spaces and keeps within the width', () => {
  expect(wrapText('one two three four', 12, '· ', '  ')).toEqual(['· one two', '  three four']);
});

test('a word wider than the line stands alone and is not cut', () => {
  expect(wrapText('a 0123456789abcdef b', 10)).toEqual(['a', '0123456789abcdef', 'b']);
});

test('empty text is one empty line', () => {
  expect(wrapText('', 10)).toEqual(['']);
});
