/** Why a cluster cannot be asked at all; the message is one line for the user and says what to do next. */
export class KubernetesProblem extends Error {
  override readonly name = 'KubernetesProblem';
  /** kubeconfig and context are the user's to mend; unreachable and refused are the cluster's word. */
  readonly kind: 'kubeconfig' | 'context' | 'unreachable' | 'refused';

  constructor(kind: KubernetesProblem['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}
