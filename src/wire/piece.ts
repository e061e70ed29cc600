/** A stretch of a frame: a header and all that follows in it. */
export interface Piece {
  /** What of it was captured. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes that it had on its way. */
  readonly originalLength: number;
  /** Of its first byte in the frame. */
  readonly offset: number;
  /** It ends anywhere (the first fragment, an ICMP error's quote): what is missing was not cut by the sender's mistake. */
  readonly open: boolean;
}

export function pieceOf(bytes: Uint8Array, originalLength: number, offset = 0, open = false): Piece {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { bytes, view, originalLength: Math.max(originalLength, bytes.length), offset, open };
}

/** What follows after `skip` bytes. */
export function restOf(piece: Piece, skip: number): Piece {
  const { bytes, originalLength, offset, open } = piece;
  return pieceOf(bytes.subarray(skip), Math.max(originalLength - skip, 0), offset + skip, open);
}

/** The first `length` bytes: where the piece is an open one they may have been more than it has. */
export function firstOf(piece: Piece, length: number): Piece {
  const { bytes, originalLength, offset, open } = piece;
  return pieceOf(bytes.subarray(0, length), open ? length : Math.min(length, originalLength), offset);
}

/** The same, but it ends anywhere. */
export function opened(piece: Piece): Piece {
  return { ...piece, open: true };
}

/** All of it was captured, and it is all. */
export function isWhole({ bytes, originalLength, open }: Piece): boolean {
  return !open && bytes.length === originalLength;
}
